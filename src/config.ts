import { type Credential, parseCredentials } from "./auth/credentials.ts";
import {
  parseProviderName,
  PROVIDER_NAMES,
  type ProviderName,
} from "./domain/provider.ts";
import { JOB_TIMING, type JobTiming } from "./domain/jobs/job_deps.ts";
import type {
  ApiKeyConfig,
  BedrockConfig,
  OpenAiConfig,
} from "./drivers/registry.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";
import type { LogLevel } from "./telemetry/log.ts";

/** Everything the process was told, validated as a whole, read once. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly kv: KvConfig;
  readonly objectStore: ObjectStoreConfig;
  readonly credentials: readonly Credential[];
  /** True: no credentials, and everyone is an admin of one tenant. */
  readonly open: boolean;
  readonly defaultProvider: ProviderName;
  readonly buckets: ReadonlyMap<string, ProviderName>;
  readonly region: string;
  readonly bedrock: BedrockConfig;
  /** Null: off, because the key is missing. */
  readonly openai: OpenAiConfig | null;
  readonly gemini: ApiKeyConfig | null;
  readonly anthropic: ApiKeyConfig | null;
  readonly timing: JobTiming;
  readonly logLevel: LogLevel;
}

export type KvConfig =
  | { readonly kind: "local" }
  | { readonly kind: "deploy" }
  | { readonly kind: "remote"; readonly url: string };

export type ObjectStoreConfig =
  | { readonly kind: "file" }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string }
  /** Nothing can rest with the gateway; `reason` names the way out. */
  | { readonly kind: "none"; readonly reason: string };

/** What the machine allows, as far as it changes what a setting may be. */
export interface Platform {
  /** Instances come and go, the disk with them, and the address is public. */
  readonly denoDeploy: boolean;
  /** Whether the process may write files at all. */
  readonly canWriteFiles: boolean;
  readFile(path: string): string;
}

/** Every mistake in the environment, one sentence each, with the fix. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.map((problem) => `- ${problem}`).join("\n"));
    this.problems = problems;
  }
}

/** @throws {ConfigError} naming every problem at once. */
export function readConfig(env: Environment, platform: Platform): Config {
  const reader = new EnvironmentReader(env);
  const host = reader.text("FINOPS_HOST") ?? "127.0.0.1";
  const credentials = readCredentials(reader, platform);
  const open = credentials.length === 0;
  checkExposure(reader, platform, { host, open });
  const region = reader.text("AWS_REGION") ??
    reader.text("AWS_DEFAULT_REGION") ?? "us-west-2";
  const config: Config = {
    host,
    port: reader.integer("FINOPS_PORT", 0, 65_535) ?? 8080,
    dataDir: reader.text("FINOPS_DATA_DIR") ?? "./finops-data",
    kv: readKv(reader, platform),
    objectStore: readObjectStore(reader, platform),
    credentials,
    open,
    defaultProvider: readDefaultProvider(reader),
    buckets: readBuckets(reader),
    region,
    bedrock: {
      region,
      s3Endpoint: reader.url("AWS_ENDPOINT_URL_S3") ??
        reader.url("AWS_ENDPOINT_URL"),
      bedrockEndpoint: reader.url("AWS_ENDPOINT_URL_BEDROCK") ??
        reader.url("AWS_ENDPOINT_URL"),
      batchRoleArn: readRoleArn(reader),
    },
    openai: readOpenAi(reader),
    gemini: readApiKey(reader, ["GEMINI_API_KEY", "GOOGLE_API_KEY"], [
      "GOOGLE_GEMINI_BASE_URL",
    ]),
    anthropic: readApiKey(reader, ["ANTHROPIC_API_KEY"], [
      "ANTHROPIC_BASE_URL",
    ]),
    timing: readTiming(reader),
    logLevel: reader.oneOf("FINOPS_LOG_LEVEL", [
      "debug",
      "info",
      "warn",
      "error",
    ]) ?? "info",
  };
  if (reader.flag("ANTHROPIC_STAGED_FILES")) {
    reader.problem(
      "ANTHROPIC_STAGED_FILES=true is not supported by this version yet; " +
        "leave it unset.",
    );
  }
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return config;
}

function readCredentials(
  reader: EnvironmentReader,
  platform: Platform,
): readonly Credential[] {
  const inline = reader.text("FINOPS_CREDENTIALS");
  const path = reader.text("FINOPS_CREDENTIALS_FILE");
  if (inline !== null && path !== null) {
    reader.problem(
      "FINOPS_CREDENTIALS and FINOPS_CREDENTIALS_FILE are both set; keep one.",
    );
    return [];
  }
  const json = inline ?? (path === null ? null : readText(path));
  if (json === null) return [];
  const { credentials, problems } = parseCredentials(json);
  const name = inline !== null
    ? "FINOPS_CREDENTIALS"
    : "FINOPS_CREDENTIALS_FILE";
  for (const problem of problems) reader.problem(`${name}: ${problem}`);
  if (problems.length === 0 && credentials.length === 0) {
    reader.problem(`${name} lists no credential; add one or leave it unset.`);
  }
  return credentials;

  function readText(file: string): string | null {
    try {
      return platform.readFile(file);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      reader.problem(`FINOPS_CREDENTIALS_FILE cannot be read: ${why}`);
      return null;
    }
  }
}

/** An open gateway must not be reachable from elsewhere by accident. */
function checkExposure(
  reader: EnvironmentReader,
  platform: Platform,
  setup: { readonly host: string; readonly open: boolean },
): void {
  const allowed = reader.flag("FINOPS_ALLOW_ANONYMOUS");
  const credentialsGiven = reader.text("FINOPS_CREDENTIALS") !== null ||
    reader.text("FINOPS_CREDENTIALS_FILE") !== null;
  if (!setup.open || credentialsGiven || allowed) return;
  if (platform.denoDeploy) {
    reader.problem(
      "The address is public and no credentials are configured: set " +
        "FINOPS_CREDENTIALS, or FINOPS_ALLOW_ANONYMOUS=true to serve everyone.",
    );
  } else if (!isLoopback(setup.host)) {
    reader.problem(
      `FINOPS_HOST=${setup.host} is reachable from elsewhere and no ` +
        "credentials are configured: set FINOPS_CREDENTIALS, or " +
        "FINOPS_ALLOW_ANONYMOUS=true to serve everyone.",
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(host);
}

function readKv(reader: EnvironmentReader, platform: Platform): KvConfig {
  const text = reader.text("FINOPS_KV");
  if (text === null) {
    return platform.denoDeploy ? { kind: "deploy" } : { kind: "local" };
  }
  if (text === "local" && platform.denoDeploy) {
    reader.problem(
      "FINOPS_KV=local keeps state in a file, which Deno Deploy loses with " +
        "the instance; leave it unset there.",
    );
  }
  if (text === "local" || text === "deploy") return { kind: text };
  if (!/^https?:\/\/.+/.test(text)) {
    reader.problem(
      `FINOPS_KV=${text} is none of: local, deploy, or the http(s) URL of a ` +
        "KV Connect server.",
    );
  } else if (reader.text("DENO_KV_ACCESS_TOKEN") === null) {
    reader.problem(
      "FINOPS_KV is a URL, so DENO_KV_ACCESS_TOKEN must hold its access token.",
    );
  }
  return { kind: "remote", url: text };
}

function readObjectStore(
  reader: EnvironmentReader,
  platform: Platform,
): ObjectStoreConfig {
  const text = reader.text("FINOPS_OBJECT_STORE");
  if (text === null || text === "file") {
    const impossible = platform.denoDeploy
      ? "Deno Deploy has no lasting disk"
      : platform.canWriteFiles
      ? null
      : "the process may not write files";
    if (impossible === null) return { kind: "file" };
    const reason = `${impossible}: set FINOPS_OBJECT_STORE=s3://bucket/prefix.`;
    if (text === "file") {
      reader.problem(`FINOPS_OBJECT_STORE=file cannot work, ${reason}`);
    }
    return {
      kind: "none",
      reason: `Nothing can be kept here, since ${reason}`,
    };
  }
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/
    .exec(text);
  if (match === null) {
    reader.problem(
      `FINOPS_OBJECT_STORE=${text} is neither "file" nor s3://bucket/prefix.`,
    );
    return { kind: "file" };
  }
  const prefix = (match[2] ?? "").replace(/\/+$/, "");
  return { kind: "s3", bucket: match[1] ?? "", prefix };
}

function readDefaultProvider(reader: EnvironmentReader): ProviderName {
  const text = reader.text("FINOPS_DEFAULT_PROVIDER");
  if (text === null) return "bedrock";
  const provider = parseProviderName(text);
  if (provider !== null) return provider;
  reader.problem(
    `FINOPS_DEFAULT_PROVIDER=${text} is not one of: ${
      PROVIDER_NAMES.join(", ")
    }.`,
  );
  return "bedrock";
}

function readBuckets(
  reader: EnvironmentReader,
): ReadonlyMap<string, ProviderName> {
  const buckets = new Map<string, ProviderName>();
  for (const part of (reader.text("FINOPS_BUCKETS") ?? "").split(",")) {
    if (part.trim() === "") continue;
    const [bucket = "", name = "", ...rest] = part.split("=");
    const provider = parseProviderName(name);
    if (bucket.trim() === "" || provider === null || rest.length > 0) {
      reader.problem(
        `FINOPS_BUCKETS: "${part.trim()}" is not bucket=provider with one ` +
          `of: ${PROVIDER_NAMES.join(", ")}.`,
      );
    } else if (buckets.has(bucket.trim())) {
      reader.problem(`FINOPS_BUCKETS names "${bucket.trim()}" twice.`);
    } else {
      buckets.set(bucket.trim(), provider);
    }
  }
  return buckets;
}

function readRoleArn(reader: EnvironmentReader): string | null {
  const arn = reader.text("BEDROCK_BATCH_ROLE_ARN");
  // The botocore model's pattern for roleArn.
  if (arn !== null && !/^arn:aws(-[^:]+)?:iam::\d{12}:role\/.+$/.test(arn)) {
    reader.problem(
      "BEDROCK_BATCH_ROLE_ARN is not a role's ARN, such as " +
        "arn:aws:iam::123456789012:role/batch.",
    );
  }
  return arn;
}

/**
 * FINOPS_SUBMIT_TIMEOUT_MS: how long a provider may take to start a batch.
 * FINOPS_SETTLE_MARGIN_MS: how long its list is read past that before a batch
 * counts as never started; it has to exceed what the list lags behind. Both
 * are for tests and for providers that are known to be slower or faster.
 */
function readTiming(reader: EnvironmentReader): JobTiming {
  const submitTimeoutMs = reader.integer(
    "FINOPS_SUBMIT_TIMEOUT_MS",
    100,
    600_000,
  );
  const settleMarginMs = reader.integer(
    "FINOPS_SETTLE_MARGIN_MS",
    100,
    86_400_000,
  );
  return {
    ...JOB_TIMING,
    ...(submitTimeoutMs === null ? {} : { submitTimeoutMs }),
    ...(settleMarginMs === null ? {} : { settleMarginMs }),
  };
}

function readOpenAi(reader: EnvironmentReader): OpenAiConfig | null {
  const account = readApiKey(reader, ["OPENAI_API_KEY"], ["OPENAI_BASE_URL"]);
  if (account === null) return null;
  return {
    ...account,
    organization: reader.text("OPENAI_ORG_ID"),
    project: reader.text("OPENAI_PROJECT_ID"),
  };
}

function readApiKey(
  reader: EnvironmentReader,
  keys: readonly string[],
  baseUrls: readonly string[],
): ApiKeyConfig | null {
  const apiKey = first(keys, (name) => reader.text(name));
  const baseUrl = first(baseUrls, (name) => reader.url(name));
  return apiKey === null ? null : { apiKey, baseUrl };
}

function first(
  names: readonly string[],
  read: (name: string) => string | null,
): string | null {
  for (const name of names) {
    const value = read(name);
    if (value !== null) return value;
  }
  return null;
}
