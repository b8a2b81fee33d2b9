import { GatewayError } from "../domain/failure.ts";
import type { RequestTarget } from "../http/target.ts";
import {
  parseRequestTime,
  readRequestTime,
  type RequestTime,
} from "./request_time.ts";
import { isHeaderV2 } from "./signature_v2.ts";
import type { PresignedV4, SignatureV4 } from "./signature_v4.ts";

/** What a signature can cover. `headers` must hold `host` as the client did. */
export interface SignedRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly target: RequestTarget;
}

/**
 * Which AWS service the caller believes to speak to. Clients of `bedrock` sign
 * the hash of the body without sending it, so it has to be computed first.
 */
export type Surface =
  | { readonly kind: "s3" }
  | { readonly kind: "bedrock"; readonly bodySha256Hex: string };

/** Bounds on what is read before anyone is known to be behind it. */
const QUERY_LENGTH_MAX = 16_384;
const QUERY_PARAMETERS_MAX = 256;
const BEARER_LENGTH_MAX = 8192;

/**
 * Bounds the query and refuses repeated names: no operation has any, and which
 * of the two counts must not be left to chance.
 *
 * @throws {GatewayError} `invalid_argument`
 */
export function checkQuery(target: RequestTarget): void {
  if (
    target.rawQuery.length > QUERY_LENGTH_MAX ||
    target.query.length > QUERY_PARAMETERS_MAX
  ) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "query" },
      `The query string may have ${QUERY_LENGTH_MAX} characters and ` +
        `${QUERY_PARAMETERS_MAX} parameters.`,
    );
  }
  const names = new Set<string>();
  for (const [name] of target.query) {
    if (names.has(name)) {
      throw new GatewayError(
        { kind: "invalid_argument", argument: name },
        `The query parameter "${name}" is given more than once.`,
      );
    }
    names.add(name);
  }
}

/** How the query authenticates the request; null: not at all. */
export function findQueryAuthentication(
  target: RequestTarget,
  surface: Surface,
): "v2" | "v4" | null {
  const names = new Set(target.query.map(([name]) => name));
  const isV4 = names.has("X-Amz-Algorithm") || names.has("X-Amz-Credential") ||
    names.has("X-Amz-Signature");
  const isV2 = surface.kind === "s3" &&
    (names.has("AWSAccessKeyId") || names.has("Signature"));
  if (isV4 && isV2) throw severalMechanisms();
  return isV4 ? "v4" : isV2 ? "v2" : null;
}

/** The key of `Authorization: Bearer <key>`; null for any other header. */
export function parseBearer(authorization: string): string | null {
  if (authorization.length > BEARER_LENGTH_MAX) return null;
  return /^bearer +(\S+)$/i.exec(authorization)?.[1] ?? null;
}

/** @throws {GatewayError} `access_denied`, `malformed_query_authentication` */
export function readSigningTime(
  request: SignedRequest,
  claim: SignatureV4 | PresignedV4,
): RequestTime {
  if (!("date" in claim)) return readRequestTime(request.headers);
  const time = parseRequestTime(claim.date);
  if (time?.timestamp === claim.date) return time;
  throw new GatewayError(
    { kind: "malformed_query_authentication" },
    "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\".",
  );
}

/**
 * The gateway issues no temporary credentials, so a session token belongs to
 * someone else's keys.
 *
 * @throws {GatewayError} `invalid_token`
 */
export function checkSessionToken(request: SignedRequest): void {
  const isInQuery = request.target.query.some(([name]) =>
    name.toLowerCase() === "x-amz-security-token"
  );
  if (!isInQuery && !request.headers.has("x-amz-security-token")) return;
  throw new GatewayError(
    { kind: "invalid_token" },
    "The provided token is malformed or otherwise invalid: credentials of " +
      "this gateway have no session token.",
  );
}

/**
 * S3's rule: `host` and every `x-amz-*` header that is there must be signed.
 * Other services ask for `host` alone.
 *
 * @throws {GatewayError} `access_denied`
 */
export function checkSignedHeaders(
  headers: Headers,
  surface: Surface,
  signedHeaders: readonly string[],
): void {
  const signed = new Set(signedHeaders);
  const unsigned = signed.has("host") ? [] : ["host"];
  if (surface.kind === "s3") {
    for (const name of headers.keys()) {
      const isExempt = signed.has(name) || name.startsWith("x-amz-sdk-");
      if (name.startsWith("x-amz-") && !isExempt) unsigned.push(name);
    }
  }
  if (unsigned.length === 0) return;
  throw new GatewayError(
    { kind: "access_denied" },
    "There were headers present in the request which were not signed: " +
      `${unsigned.join(", ")}.`,
  );
}

/**
 * What stands for the body in the canonical request.
 *
 * @throws {GatewayError} `missing_security_header`, `unsupported`
 */
export function readPayloadHash(
  request: SignedRequest,
  surface: Surface,
  claim: SignatureV4,
): string {
  if (surface.kind === "bedrock") return surface.bodySha256Hex;
  const header = request.headers.get("x-amz-content-sha256");
  if (claim.place === "header") {
    if (header !== null) return header;
    throw new GatewayError(
      { kind: "missing_security_header", header: "x-amz-content-sha256" },
      "Missing required header for this request: x-amz-content-sha256",
    );
  }
  const inQuery = request.target.query.some(([name, value]) =>
    name.toLowerCase() === "x-amz-content-sha256" && value !== UNSIGNED_PAYLOAD
  );
  if (inQuery) {
    throw new GatewayError(
      { kind: "unsupported" },
      "A presigned URL cannot hold the body's hash: sign the header " +
        "x-amz-content-sha256 and send it with the body instead.",
    );
  }
  // Only a signed header counts: checkSignedHeaders refuses any other.
  return header ?? UNSIGNED_PAYLOAD;
}

const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

export function missingAuthentication(): GatewayError {
  return new GatewayError(
    { kind: "missing_authentication" },
    "Access Denied: the request is not signed, and this gateway has " +
      "credentials configured.",
  );
}

export function severalMechanisms(): GatewayError {
  return new GatewayError(
    { kind: "invalid_argument", argument: "Authorization" },
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query " +
      "parameter, Signature query string parameter or the Authorization " +
      "header should be specified.",
  );
}

/** An `Authorization` header of a kind that the surface does not take. */
export function unsupportedAuthorization(
  surface: Surface,
  authorization: string,
): GatewayError {
  if (surface.kind === "bedrock") {
    return new GatewayError(
      { kind: "malformed_authorization" },
      "The authorization header is neither AWS4-HMAC-SHA256 nor Bearer.",
    );
  }
  if (isHeaderV2(authorization)) {
    return new GatewayError(
      { kind: "invalid_request" },
      "The authorization mechanism you have provided is not supported. " +
        "Please use AWS4-HMAC-SHA256.",
    );
  }
  return new GatewayError(
    { kind: "invalid_argument", argument: "Authorization" },
    "Unsupported Authorization Type",
  );
}
