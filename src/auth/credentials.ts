import { z } from "zod";
import {
  parseProviderName,
  PROVIDER_NAMES,
  type ProviderName,
} from "../domain/provider.ts";

/** One caller of the gateway, as `FINOPS_CREDENTIALS` describes it. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly tenant: string;
  /** Null: every provider. */
  readonly providers: readonly ProviderName[] | null;
  readonly defaultProvider: ProviderName | null;
  /** Real S3 buckets within reach: `name`, `name/prefix*` or `*`. */
  readonly buckets: readonly string[];
  readonly admin: boolean;
  /** Accepted as `Authorization: Bearer` on the control plane. */
  readonly bearerKey: string | null;
}

export interface ParsedCredentials {
  /** Those that could be read, in the order given. */
  readonly credentials: readonly Credential[];
  /** Sentences for the operator; they never show a secret. */
  readonly problems: readonly string[];
}

const JSON_LENGTH_MAX = 1024 * 1024;
const CREDENTIALS_MAX = 1000;
const BUCKETS_MAX = 1000;

const PROVIDERS = PROVIDER_NAMES.join(", ");

/** Header-safe and free of what separates the parts of a credential scope. */
const ACCESS_KEY_ID = /^[!-+\-.0-~]{1,128}$/;
const VISIBLE = /^[!-~]{1,1024}$/;
const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const BUCKET_PATTERN =
  /^(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,254}(?:\/[^*]*\*)?)$/;

function text(pattern: RegExp, advice: string): z.ZodString {
  return z.string({ error: advice }).regex(pattern, { error: advice });
}

const PROVIDER = z.string({ error: `give one of ${PROVIDERS}` }).transform(
  (name, context): ProviderName => {
    const provider = parseProviderName(name);
    if (provider !== null) return provider;
    context.addIssue({ code: "custom", message: `give one of ${PROVIDERS}` });
    return z.NEVER;
  },
);

const CREDENTIAL = z.strictObject({
  accessKeyId: text(
    ACCESS_KEY_ID,
    "give 1 to 128 visible ASCII characters, no slash or comma",
  ),
  secretAccessKey: text(VISIBLE, "give 1 to 1024 visible ASCII characters"),
  tenant: text(
    TENANT,
    "give 1 to 64 of A-Z a-z 0-9 . _ - that start with a letter or digit",
  ),
  providers: z.array(PROVIDER, { error: `give a list of ${PROVIDERS}` })
    .min(1, { error: `name at least one of ${PROVIDERS}, or leave it out` })
    .nullish(),
  defaultProvider: PROVIDER.nullish(),
  buckets: z.array(
    text(BUCKET_PATTERN, "give `name`, `name/prefix*` or `*`"),
    { error: "give a list of `name`, `name/prefix*` or `*`" },
  ).max(BUCKETS_MAX, { error: `give ${BUCKETS_MAX} at most` }).nullish(),
  admin: z.boolean({ error: "give true or false" }).nullish(),
  bearerKey: text(VISIBLE, "give 1 to 1024 visible ASCII characters")
    .nullish(),
}, {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? undefined
      : "give an object with accessKeyId, secretAccessKey and tenant",
});

/**
 * Parses FINOPS_CREDENTIALS. Never throws: problems are sentences that name
 * the entry (counted from 1) and the fix, and never show a secret.
 */
export function parseCredentials(json: string): ParsedCredentials {
  const list = parseList(json);
  if (typeof list === "string") return { credentials: [], problems: [list] };
  const problems: string[] = [];
  const entries: { number: number; credential: Credential }[] = [];
  for (const [index, entry] of list.entries()) {
    const parsed = CREDENTIAL.safeParse(entry);
    if (parsed.success) {
      entries.push({ number: index + 1, credential: complete(parsed.data) });
    } else {
      problems.push(
        ...parsed.error.issues.map((issue) => describe(index + 1, issue)),
      );
    }
  }
  problems.push(
    ...entries.flatMap(({ number, credential }) =>
      checkDefaultProvider(number, credential)
    ),
    ...findRepeated(entries, "accessKeyId"),
    ...findRepeated(entries, "bearerKey"),
  );
  return { credentials: entries.map((entry) => entry.credential), problems };
}

/** The entries, or the problem that hides them. */
function parseList(json: string): readonly unknown[] | string {
  if (json.length > JSON_LENGTH_MAX) {
    return `The credentials are longer than ${JSON_LENGTH_MAX} characters.`;
  }
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch (error) {
    // The parser's message quotes the text, so only the position is shown.
    const position = /at position (\d+)/.exec(String(error))?.[1];
    const where = position === undefined ? "" : ` (see character ${position})`;
    return `The credentials are not valid JSON${where}.`;
  }
  if (!Array.isArray(list)) {
    return "The credentials must be a JSON list of objects: [{...}].";
  }
  if (list.length === 0) {
    return "The list of credentials is empty: add one, or leave it out to " +
      "run without authentication.";
  }
  if (list.length > CREDENTIALS_MAX) {
    return `There are more than ${CREDENTIALS_MAX} credentials.`;
  }
  return list;
}

function complete(entry: z.infer<typeof CREDENTIAL>): Credential {
  return {
    accessKeyId: entry.accessKeyId,
    secretAccessKey: entry.secretAccessKey,
    tenant: entry.tenant,
    providers: entry.providers ?? null,
    defaultProvider: entry.defaultProvider ?? null,
    buckets: entry.buckets ?? [],
    admin: entry.admin ?? false,
    bearerKey: entry.bearerKey ?? null,
  };
}

function describe(number: number, issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") {
    // Something pasted into the wrong place could be a secret.
    const names = issue.keys.map((key) =>
      /^[A-Za-z_]{1,24}$/.test(key) ? `"${key}"` : "one that is not shown"
    );
    return `Credential ${number}: unknown member ${names.join(", ")}; ` +
      `the members are ${Object.keys(CREDENTIAL.shape).join(", ")}.`;
  }
  const path = issue.path.map(String).join(".");
  const where = path === "" ? "" : ` ${path}:`;
  return `Credential ${number}:${where} ${issue.message}.`;
}

function checkDefaultProvider(
  number: number,
  credential: Credential,
): string[] {
  const { providers, defaultProvider } = credential;
  const isReachable = defaultProvider === null || providers === null ||
    providers.includes(defaultProvider);
  if (isReachable) return [];
  return [
    `Credential ${number}: defaultProvider "${defaultProvider}" is not among ` +
    "its providers; add it there or choose another.",
  ];
}

/** Whoever shows a key must be one caller and no other. */
function findRepeated(
  entries: readonly { number: number; credential: Credential }[],
  member: "accessKeyId" | "bearerKey",
): string[] {
  const firstNumbers = new Map<string, number>();
  const problems: string[] = [];
  for (const { number, credential } of entries) {
    const value = credential[member];
    const first = value === null ? undefined : firstNumbers.get(value);
    if (first !== undefined) {
      problems.push(
        `Credentials ${first} and ${number} have the same ${member}; give ` +
          "each its own.",
      );
    } else if (value !== null) {
      firstNumbers.set(value, number);
    }
  }
  return problems;
}
