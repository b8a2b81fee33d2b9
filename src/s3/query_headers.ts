import { GatewayError } from "../domain/failure.ts";

/**
 * Query names, lower-cased, that carry a signature or belong to it. Clients
 * write SigV4's in mixed case (`X-Amz-Signature`).
 */
const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  "x-amz-algorithm",
  "x-amz-content-sha256",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-expires",
  "x-amz-security-token",
  "x-amz-signature",
  "x-amz-signedheaders",
]);

/**
 * A request's headers together with those that a presigned URL carries in its
 * query: S3 reads `?x-amz-acl=…` as the header of that name, and the JavaScript
 * SDK moves every such header there. A real header wins.
 *
 * @throws {GatewayError} `invalid_argument` where a value is no header value.
 */
export function withQueryHeaders(
  headers: Headers,
  query: readonly (readonly [string, string])[],
): Headers {
  const merged = new Headers(headers);
  const given = new Set(headers.keys());
  for (const [rawName, value] of query) {
    const name = rawName.toLowerCase();
    if (!name.startsWith("x-amz-") || SIGNATURE_PARAMETERS.has(name)) continue;
    if (given.has(name)) continue;
    setHeader(merged, name, toByteString(value));
    given.add(name);
  }
  return merged;
}

/**
 * Sets a header from a byte string that a caller chose.
 *
 * @throws {GatewayError} `invalid_argument` where it cannot be a header.
 */
export function setHeader(headers: Headers, name: string, value: string): void {
  try {
    headers.set(name, value);
  } catch (cause) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: name.slice(0, 128) },
      `The value of "${name.slice(0, 128)}" cannot be sent in a header.`,
      { cause },
    );
  }
}

/** Headers hold bytes: text outside ASCII travels as its UTF-8, as in S3. */
export function toByteString(text: string): string {
  // deno-lint-ignore no-control-regex -- ASCII is exactly this range
  if (/^[\u0000-\u007f]*$/.test(text)) return text;
  return Array.from(
    new TextEncoder().encode(text),
    (byte) => String.fromCharCode(byte),
  ).join("");
}
