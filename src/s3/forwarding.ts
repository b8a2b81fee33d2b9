import { withQuotedEtags } from "./etag.ts";
import type { S3Operation } from "./operation.ts";

/** What of a request real S3 sees, for one operation. */
export interface Forwarding {
  /** Query parameters; whatever else came is dropped. */
  readonly query: readonly string[];
  /** Headers beside `x-amz-*`. */
  readonly headers: readonly string[];
  readonly body: "none" | "document" | "stream";
}

const READ_HEADERS = [
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
] as const;

const STORED_HEADERS = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
] as const;

const WRITE_CONDITIONS = ["if-match", "if-none-match"] as const;

const READ_QUERY = [
  "partNumber",
  "response-cache-control",
  "response-content-disposition",
  "response-content-encoding",
  "response-content-language",
  "response-content-type",
  "response-expires",
  "versionId",
] as const;

const LIST_QUERY = [
  "delimiter",
  "encoding-type",
  "max-keys",
  "prefix",
] as const;

const DOCUMENT_HEADERS = ["content-md5", "content-type"] as const;

/** Parameters and headers of each operation, from botocore's S3 model. */
export const FORWARDING: Readonly<Record<S3Operation, Forwarding>> = {
  ListBuckets: {
    query: ["bucket-region", "continuation-token", "max-buckets", "prefix"],
    headers: [],
    body: "none",
  },
  HeadBucket: { query: [], headers: [], body: "none" },
  CreateBucket: { query: [], headers: DOCUMENT_HEADERS, body: "document" },
  DeleteBucket: { query: [], headers: [], body: "none" },
  GetBucketLocation: { query: ["location"], headers: [], body: "none" },
  ListObjects: { query: [...LIST_QUERY, "marker"], headers: [], body: "none" },
  ListObjectsV2: {
    query: [
      ...LIST_QUERY,
      "continuation-token",
      "fetch-owner",
      "list-type",
      "start-after",
    ],
    headers: [],
    body: "none",
  },
  DeleteObjects: {
    query: ["delete"],
    headers: DOCUMENT_HEADERS,
    body: "document",
  },
  ListMultipartUploads: {
    query: [
      "delimiter",
      "encoding-type",
      "key-marker",
      "max-uploads",
      "prefix",
      "upload-id-marker",
      "uploads",
    ],
    headers: [],
    body: "none",
  },
  PutObject: {
    query: [],
    headers: [...STORED_HEADERS, ...WRITE_CONDITIONS, "content-md5"],
    body: "stream",
  },
  GetObject: { query: READ_QUERY, headers: READ_HEADERS, body: "none" },
  HeadObject: { query: READ_QUERY, headers: READ_HEADERS, body: "none" },
  GetObjectAttributes: {
    query: ["attributes", "versionId"],
    headers: [],
    body: "none",
  },
  DeleteObject: { query: ["versionId"], headers: ["if-match"], body: "none" },
  CopyObject: {
    query: [],
    headers: [...STORED_HEADERS, ...WRITE_CONDITIONS],
    body: "none",
  },
  CreateMultipartUpload: {
    query: ["uploads"],
    headers: STORED_HEADERS,
    body: "none",
  },
  UploadPart: {
    query: ["partNumber", "uploadId"],
    headers: ["content-md5"],
    body: "stream",
  },
  UploadPartCopy: {
    query: ["partNumber", "uploadId"],
    headers: [],
    body: "none",
  },
  CompleteMultipartUpload: {
    query: ["uploadId"],
    headers: [...DOCUMENT_HEADERS, ...WRITE_CONDITIONS],
    body: "document",
  },
  AbortMultipartUpload: { query: ["uploadId"], headers: [], body: "none" },
  ListParts: {
    query: ["max-parts", "part-number-marker", "uploadId"],
    headers: [],
    body: "none",
  },
};

/**
 * `x-amz-*` headers that belong to the caller's own signature and framing.
 * The gateway signs anew, and has undone and verified the framing.
 */
const CALLERS_OWN: ReadonlySet<string> = new Set([
  "x-amz-content-sha256",
  "x-amz-date",
  "x-amz-decoded-content-length",
  "x-amz-security-token",
  "x-amz-trailer",
  "x-amz-user-agent",
]);

const ETAG_CONDITIONS: ReadonlySet<string> = new Set([
  "if-match",
  "if-none-match",
  "x-amz-copy-source-if-match",
  "x-amz-copy-source-if-none-match",
]);

/** The headers of a request that real S3 sees. */
export function forwardedHeaders(
  headers: Headers,
  forwarding: Forwarding,
): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (const [name, given] of headers) {
    const passes = name.startsWith("x-amz-")
      ? !CALLERS_OWN.has(name)
      : forwarding.headers.includes(name);
    if (!passes) continue;
    const value = forwardedValue(name, given);
    if (value !== "" || given === "") chosen[name] = value;
  }
  return chosen;
}

/** "" where nothing of the value is left. */
function forwardedValue(name: string, value: string): string {
  if (name === "content-encoding") return withoutChunkFraming(value);
  return ETAG_CONDITIONS.has(name) ? withQuotedEtags(value) : value;
}

/**
 * `aws-chunked` frames the transfer and is no property of the object; S3 keeps
 * the rest to the letter.
 */
export function withoutChunkFraming(encoding: string): string {
  return encoding.split(",")
    .filter((token) => token.trim().toLowerCase() !== "aws-chunked")
    .join(",").trim();
}

/** The query of a request that real S3 sees, in the order it came. */
export function forwardedQuery(
  parameters: ReadonlyMap<string, string>,
  forwarding: Forwarding,
): (readonly [string, string])[] {
  return [...parameters].filter(([name]) => forwarding.query.includes(name));
}
