import { GatewayError } from "../domain/failure.ts";
import type { RequestTarget } from "../http/target.ts";
import type { CredentialScope } from "./signing_keys.ts";

/** Everything that a SigV4 request says about its own signature. */
export interface SignatureV4 {
  readonly place: "header" | "query";
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
    ...parseCredentialScope(credential),
    signedHeaders: parseSignedHeaders(signedHeaders),
    signature,
  };
}

/**
 * Reads the `X-Amz-*` parameters of a presigned URL.
 *
 * @throws {GatewayError} `malformed_authorization`
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
      "Query-string authentication version 4 requires the X-Amz-Algorithm, " +
        "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, " +
        "and X-Amz-Expires parameters.",
    );
  }
  if (query.get("X-Amz-Algorithm") !== ALGORITHM_V4) {
    throw malformed(`X-Amz-Algorithm only supports "${ALGORITHM_V4}".`);
  }
  return {
    place: "query",
    ...parseCredentialScope(credential),
    signedHeaders: parseSignedHeaders(signedHeaders),
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
 * @throws {GatewayError} `malformed_authorization`
 */
export function checkScope(
  claim: SignatureV4,
  service: string,
  timestamp: string,
): void {
  if (claim.scope.service !== service) {
    throw malformed(
      `The authorization header is malformed; incorrect service ` +
        `"${claim.scope.service}". This endpoint belongs to "${service}".`,
    );
  }
  if (claim.scope.date !== timestamp.slice(0, 8)) {
    throw malformed(
      `Invalid credential date "${claim.scope.date}". This date is not the ` +
        `same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  }
}

function parseCredentialScope(
  credential: string,
): { accessKeyId: string; scope: CredentialScope } {
  const [accessKeyId = "", date = "", region = "", service = "", end, more] =
    credential.split("/");
  if (
    end !== "aws4_request" || more !== undefined ||
    !ACCESS_KEY_ID.test(accessKeyId) || !/^\d{8}$/.test(date) ||
    !REGION.test(region) || !/^[a-z0-9-]{1,64}$/.test(service)
  ) {
    throw malformed(
      "The authorization header is malformed; the Credential is mal-formed; " +
        'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  return { accessKeyId, scope: { date, region, service } };
}

function parseSignedHeaders(text: string): string[] {
  const names = text.split(";");
  if (
    names.length > SIGNED_HEADERS_MAX ||
    new Set(names).size !== names.length ||
    !names.every((name) => HEADER_NAME.test(name))
  ) {
    throw malformed(
      "The authorization header is malformed; SignedHeaders must be " +
        "lower-case header names, each once, separated by semicolons.",
    );
  }
  return names;
}

function parseExpires(text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= 1 && seconds <= EXPIRES_SECONDS_MAX) return seconds;
  throw malformed(
    "X-Amz-Expires must be a number of seconds between 1 and " +
      `${EXPIRES_SECONDS_MAX} (a week).`,
  );
}

function malformedHeader(): GatewayError {
  return malformed(
    "The authorization header is malformed; expecting Credential, " +
      "SignedHeaders and Signature, each once.",
  );
}

function malformed(message: string): GatewayError {
  return new GatewayError({ kind: "malformed_authorization" }, message);
}
