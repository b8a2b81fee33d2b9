import { type FailureKind, GatewayError } from "../domain/failure.ts";
import type { RequestTarget } from "../http/target.ts";
import type { CredentialScope } from "./signing_keys.ts";

/** Where a signature stands; S3 has an error code for each. */
export type SignaturePlace = "header" | "query";

/** Everything that a SigV4 request says about its own signature. */
export interface SignatureV4 {
  readonly place: SignaturePlace;
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Lower-case names in the client's order; `host` is among them. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/** A SigV4 query signature also says when it begins and ends. */
export interface PresignedV4 extends SignatureV4 {
  readonly place: "query";
  readonly date: string;
  readonly expiresSeconds: number;
}

export const ALGORITHM_V4 = "AWS4-HMAC-SHA256";

/** A week; S3 API Reference, "Authenticating Requests: Using Query Parameters". */
const EXPIRES_SECONDS_MAX = 604_800;
const SIGNED_HEADERS_MAX = 256;
const ACCESS_KEY_ID = /^[^\s/,]{1,128}$/;
const REGION = /^[A-Za-z0-9_-]{1,64}$/;
/** How S3 begins a complaint about the credential scope. */
const SCOPE_COMPLAINT = {
  header: "The authorization header is malformed",
  query: "Error parsing the X-Amz-Credential parameter",
} as const satisfies Record<SignaturePlace, string>;
const MALFORMED = {
  header: "malformed_authorization",
  query: "malformed_query_authentication",
} as const satisfies Record<SignaturePlace, FailureKind>;
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

/**
 * Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
 *
 * @throws {GatewayError} `malformed_authorization`
 */
export function parseAuthorizationV4(authorization: string): SignatureV4 {
  const members = new Map<string, string>();
  const list = authorization.slice(ALGORITHM_V4.length).split(",");
  for (const member of list) {
    const equals = member.indexOf("=");
    const name = member.slice(0, Math.max(equals, 0)).trim();
    if (equals < 0 || members.has(name)) throw malformedHeader();
    members.set(name, member.slice(equals + 1).trim());
  }
  const credential = members.get("Credential");
  const signedHeaders = members.get("SignedHeaders");
  const signature = members.get("Signature");
  if (
    credential === undefined || signedHeaders === undefined ||
    signature === undefined || members.size !== 3
  ) throw malformedHeader();
  return {
    place: "header",
    ...parseCredentialScope(credential, "header"),
    signedHeaders: parseSignedHeaders(signedHeaders, "header"),
    signature,
  };
}

/**
 * Reads the `X-Amz-*` parameters of a presigned URL.
 *
 * @throws {GatewayError} `malformed_query_authentication`
 */
export function parsePresignedV4(target: RequestTarget): PresignedV4 {
  const query = new Map(target.query);
  const credential = query.get("X-Amz-Credential");
  const date = query.get("X-Amz-Date");
  const expires = query.get("X-Amz-Expires");
  const signedHeaders = query.get("X-Amz-SignedHeaders");
  const signature = query.get("X-Amz-Signature");
  if (
    credential === undefined || date === undefined || expires === undefined ||
    signedHeaders === undefined || signature === undefined ||
    !query.has("X-Amz-Algorithm")
  ) {
    throw malformed(
      "query",
      "Query-string authentication version 4 requires the X-Amz-Algorithm, " +
        "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, " +
        "and X-Amz-Expires parameters.",
    );
  }
  if (query.get("X-Amz-Algorithm") !== ALGORITHM_V4) {
    throw malformed(
      "query",
      `X-Amz-Algorithm only supports "${ALGORITHM_V4}".`,
    );
  }
  return {
    place: "query",
    ...parseCredentialScope(credential, "query"),
    signedHeaders: parseSignedHeaders(signedHeaders, "query"),
    signature,
    date,
    expiresSeconds: parseExpires(expires),
  };
}

/**
 * The region in a credential scope wherever the request has one, without any
 * check of the signature; null where there is none.
 */
export function findRegion(
  headers: Headers,
  target: RequestTarget,
): string | null {
  const authorization = headers.get("authorization") ?? "";
  const inHeader = authorization.startsWith(`${ALGORITHM_V4} `)
    ? /[ ,]Credential=([^,\s]+)/.exec(authorization)?.[1]
    : undefined;
  const credential = inHeader ?? new Map(target.query).get("X-Amz-Credential");
  const region = credential?.split("/").at(-3);
  return region !== undefined && REGION.test(region) ? region : null;
}

/**
 * Checks that the scope is that of this service and day.
 *
 * @throws {GatewayError} `malformed_authorization`,
 * `malformed_query_authentication`
 */
export function checkScope(
  claim: SignatureV4,
  service: string,
  timestamp: string,
): void {
  if (claim.scope.service !== service) {
    throw malformed(
      claim.place,
      `${SCOPE_COMPLAINT[claim.place]}; incorrect service ` +
        `"${claim.scope.service}". This endpoint belongs to "${service}".`,
    );
  }
  if (claim.scope.date !== timestamp.slice(0, 8)) {
    throw malformed(
      claim.place,
      `Invalid credential date "${claim.scope.date}". This date is not the ` +
        `same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  }
}

function parseCredentialScope(
  credential: string,
  place: SignaturePlace,
): { accessKeyId: string; scope: CredentialScope } {
  const [accessKeyId = "", date = "", region = "", service = "", end, more] =
    credential.split("/");
  if (
    end !== "aws4_request" || more !== undefined ||
    !ACCESS_KEY_ID.test(accessKeyId) || !/^\d{8}$/.test(date) ||
    !REGION.test(region) || !/^[a-z0-9-]{1,64}$/.test(service)
  ) {
    throw malformed(
      place,
      `${SCOPE_COMPLAINT[place]}; the Credential is mal-formed; ` +
        'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  return { accessKeyId, scope: { date, region, service } };
}

function parseSignedHeaders(text: string, place: SignaturePlace): string[] {
  const names = text.split(";");
  if (
    names.length > SIGNED_HEADERS_MAX ||
    new Set(names).size !== names.length ||
    !names.every((name) => HEADER_NAME.test(name))
  ) {
    throw malformed(
      place,
      "The authorization is malformed; SignedHeaders must be lower-case " +
        " header names, each once, separated by semicolons.",
    );
  }
  return names;
}

/** A lifetime of nothing is one, which is over at once. */
function parseExpires(text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= EXPIRES_SECONDS_MAX) return seconds;
  throw malformed(
    "query",
    "X-Amz-Expires must be a number of seconds between 0 and " +
      `${EXPIRES_SECONDS_MAX} (a week).`,
  );
}

function malformedHeader(): GatewayError {
  return malformed(
    "header",
    "The authorization header is malformed; expecting Credential, " +
      "SignedHeaders and Signature, each once.",
  );
}

function malformed(place: SignaturePlace, message: string): GatewayError {
  return new GatewayError({ kind: MALFORMED[place] }, message);
}
