import type { StoredObject } from "./bucket.ts";
import { S3Failure } from "./failure.ts";

const METADATA_BYTES_MAX = 2048;
const DEFAULT_CONTENT_TYPE = "binary/octet-stream";

/** Headers of an upload that come back with the object. */
const KEPT_HEADERS = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-language",
  "expires",
  "x-amz-storage-class",
  "x-amz-website-redirect-location",
] as const;

/** Query parameters of GetObject that replace an answer's header. */
const OVERRIDES = [
  "content-type",
  "content-language",
  "content-disposition",
  "content-encoding",
  "cache-control",
  "expires",
] as const;

/**
 * The headers of PutObject, CopyObject and CreateMultipartUpload to keep.
 *
 * @throws {S3Failure} `MetadataTooLarge`.
 */
export function readObjectHeaders(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = headers.get(name);
    if (value !== null && value !== "") kept[name] = value;
  }
  const encoding = contentEncoding(headers.get("content-encoding") ?? "");
  if (encoding !== "") kept["content-encoding"] = encoding;
  let metadataBytes = 0;
  for (const [name, value] of headers) {
    if (!name.startsWith("x-amz-meta-")) continue;
    metadataBytes += name.length - "x-amz-meta-".length + value.length;
    kept[name] = value;
  }
  if (metadataBytes > METADATA_BYTES_MAX) {
    throw new S3Failure(
      "MetadataTooLarge",
      "Your metadata headers exceed the maximum allowed metadata size",
      { details: { MaxSizeAllowed: String(METADATA_BYTES_MAX) } },
    );
  }
  return kept;
}

/** The headers of GetObject and HeadObject, without the ones of a range. */
export function objectResponseHeaders(object: StoredObject): Headers {
  const headers = new Headers({
    "content-type": DEFAULT_CONTENT_TYPE,
    ...object.headers,
  });
  if (headers.get("x-amz-storage-class") === "STANDARD") {
    headers.delete("x-amz-storage-class");
  }
  headers.set("etag", quoted(object.etag));
  headers.set("last-modified", new Date(object.modifiedAtMs).toUTCString());
  headers.set("accept-ranges", "bytes");
  headers.set("x-amz-server-side-encryption", "AES256");
  return headers;
}

/** Adds what PutObject and a whole GetObject tell about the checksum. */
export function setChecksumHeaders(
  headers: Headers,
  checksum: StoredObject["checksum"],
): void {
  if (checksum === null) return;
  headers.set(`x-amz-checksum-${checksum.algorithm}`, checksum.value);
  headers.set("x-amz-checksum-type", checksum.type);
}

/** Applies `response-content-type` and its like. */
export function applyOverrides(
  headers: Headers,
  query: ReadonlyMap<string, string>,
): void {
  for (const name of OVERRIDES) {
    const value = query.get(`response-${name}`);
    if (value !== undefined) headers.set(name, value);
  }
}

export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** `aws-chunked` frames the upload and says nothing about the object. */
function contentEncoding(value: string): string {
  return value.split(",").map((coding) => coding.trim())
    .filter((coding) => coding !== "" && coding !== "aws-chunked")
    .join(",");
}
