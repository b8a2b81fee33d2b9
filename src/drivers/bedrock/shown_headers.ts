/** Headers of S3's answers that are the caller's business, beside `x-amz-`. */
const SHOWN: ReadonlySet<string> = new Set([
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "expires",
  "last-modified",
  "location",
]);

/**
 * S3's names for the exchange between it and the gateway, and what belongs to
 * the gateway's session. The caller's exchange has ids of its own.
 */
const HIDDEN: ReadonlySet<string> = new Set([
  "x-amz-apigw-id",
  "x-amz-cf-id",
  "x-amz-cf-pop",
  "x-amz-id-2",
  "x-amz-request-id",
  "x-amz-s3session-token",
  "x-amz-security-token",
]);

/** The headers of S3's answer that a caller may see. */
export function shownHeaders(
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) =>
        SHOWN.has(name) || (name.startsWith("x-amz-") && !HIDDEN.has(name))
      ),
  );
}
