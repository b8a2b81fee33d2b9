import type { StoredObject } from "./bucket.ts";
import { noSuchKey, S3Failure } from "./failure.ts";

/** What a conditional read comes to; a failed one throws. */
export type ReadVerdict = "send" | "not_modified";

/**
 * Judges If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since of
 * a read. The ETag conditions win over the dates; see GetObject in the S3 API
 * Reference and RFC 9110, section 13.2.2.
 *
 * @param prefix `x-amz-copy-source-` judges the source of a copy.
 * @throws {S3Failure} `PreconditionFailed`.
 */
export function judgeRead(
  headers: Headers,
  object: StoredObject,
  prefix: "" | "x-amz-copy-source-" = "",
): ReadVerdict {
  const ifMatch = headers.get(`${prefix}if-match`);
  const ifNoneMatch = headers.get(`${prefix}if-none-match`);
  if (ifMatch !== null) {
    if (!matches(ifMatch, object.etag)) throw preconditionFailed("If-Match");
  } else {
    const since = readDate(headers.get(`${prefix}if-unmodified-since`));
    if (since !== null && object.modifiedAtMs > since) {
      throw preconditionFailed("If-Unmodified-Since");
    }
  }
  if (ifNoneMatch !== null) {
    return matches(ifNoneMatch, object.etag) ? "not_modified" : "send";
  }
  const since = readDate(headers.get(`${prefix}if-modified-since`));
  return since !== null && object.modifiedAtMs <= since
    ? "not_modified"
    : "send";
}

/**
 * Judges a conditional PutObject, CopyObject, CompleteMultipartUpload.
 *
 * @throws {S3Failure} `PreconditionFailed`, `NoSuchKey` (If-Match, no object).
 */
export function judgeWrite(
  headers: Headers,
  key: string,
  current: StoredObject | null,
): void {
  const ifMatch = headers.get("if-match");
  const ifNoneMatch = headers.get("if-none-match");
  if (ifMatch !== null) {
    if (current === null) throw noSuchKey(key);
    if (!matches(ifMatch, current.etag)) throw preconditionFailed("If-Match");
  }
  if (ifNoneMatch === null) return;
  if (ifNoneMatch !== "*") {
    throw new S3Failure(
      "NotImplemented",
      "A header you provided implies functionality that is not implemented",
      { details: { Header: "If-None-Match" } },
    );
  }
  if (current !== null) throw preconditionFailed("If-None-Match");
}

/** @throws {S3Failure} `PreconditionFailed` where another object lies there. */
export function judgeDelete(headers: Headers, current: StoredObject): void {
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null && !matches(ifMatch, current.etag)) {
    throw preconditionFailed("If-Match");
  }
}

export function preconditionFailed(condition: string): S3Failure {
  return new S3Failure(
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
    { details: { Condition: condition } },
  );
}

function matches(header: string, etag: string): boolean {
  return header.split(",").some((entry) => {
    const value = entry.trim().replace(/^"(.*)"$/, "$1");
    return value === "*" || value === etag;
  });
}

/** A date that cannot be read is no condition. */
function readDate(text: string | null): number | null {
  const milliseconds = text === null ? NaN : Date.parse(text);
  return Number.isNaN(milliseconds) ? null : milliseconds;
}
