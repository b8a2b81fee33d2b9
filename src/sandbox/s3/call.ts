import { S3Failure } from "./failure.ts";

export const S3_OPERATIONS = [
  "ListBuckets",
  "CreateBucket",
  "HeadBucket",
  "DeleteBucket",
  "GetBucketLocation",
  "ListObjects",
  "ListObjectsV2",
  "ListMultipartUploads",
  "DeleteObjects",
  "PutObject",
  "CopyObject",
  "GetObject",
  "HeadObject",
  "DeleteObject",
  "CreateMultipartUpload",
  "UploadPart",
  "UploadPartCopy",
  "CompleteMultipartUpload",
  "AbortMultipartUpload",
  "ListParts",
] as const;

export type S3Operation = typeof S3_OPERATIONS[number];

/** One request, its path and query read; `bucket` and `key` are "" if absent. */
export interface S3Call {
  readonly operation: S3Operation;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** The path as sent, for `<Resource>`. */
  readonly rawPath: string;
  readonly request: Request;
}

const KEY_BYTES_MAX = 1024;

/** Query names that change nothing about which operation is meant. */
const PLAIN_QUERY = new Set([
  "x-id",
  "versionId",
  "partNumber",
  "uploadId",
  "prefix",
  "delimiter",
  "marker",
  "max-keys",
  "encoding-type",
  "list-type",
  "start-after",
  "continuation-token",
  "fetch-owner",
  "key-marker",
  "upload-id-marker",
  "max-uploads",
  "max-parts",
  "part-number-marker",
  "max-buckets",
  "bucket-region",
  "location",
  "uploads",
  "delete",
  "response-content-type",
  "response-content-language",
  "response-content-disposition",
  "response-content-encoding",
  "response-cache-control",
  "response-expires",
]);

/**
 * Reads path and query from the raw URL, since a parsed one would collapse
 * the `..` and `//` that S3 keys may hold.
 *
 * @throws {S3Failure} `NotImplemented` for any sub-resource not simulated.
 */
export function parseS3Call(request: Request): S3Call {
  const { rawPath, query } = splitTarget(request.url);
  const { bucket, key } = splitPath(rawPath);
  for (const name of query.keys()) {
    if (!PLAIN_QUERY.has(name)) throw notImplemented(name);
  }
  if ((query.get("versionId") ?? "null") !== "null") {
    throw new S3Failure("InvalidArgument", "Invalid version id specified", {
      details: { ArgumentName: "versionId" },
    });
  }
  const operation = findOperation(request, bucket, key, query);
  return { operation, bucket, key, query, rawPath, request };
}

/** The path of a request as it stood on the wire. */
export function rawPathOf(url: string): string {
  return rawTarget(url).split("?", 1)[0] ?? "/";
}

function rawTarget(url: string): string {
  const scheme = url.indexOf("://");
  const start = url.indexOf("/", scheme < 0 ? 0 : scheme + 3);
  return start < 0 ? "/" : url.slice(start);
}

function splitTarget(
  url: string,
): { rawPath: string; query: Map<string, string> } {
  const target = rawTarget(url);
  const mark = target.indexOf("?");
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const query = new Map<string, string>();
  const pairs = mark < 0 ? [] : target.slice(mark + 1).split("&");
  for (const pair of pairs) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? "" : pair.slice(equals + 1);
    query.set(decode(plusAsSpace(name)), decode(plusAsSpace(value)));
  }
  return { rawPath, query };
}

function plusAsSpace(text: string): string {
  return text.replaceAll("+", " ");
}

function splitPath(rawPath: string): { bucket: string; key: string } {
  const slash = rawPath.indexOf("/", 1);
  const bucket = decode(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash));
  const key = slash < 0 ? "" : decode(rawPath.slice(slash + 1));
  if (new TextEncoder().encode(key).length > KEY_BYTES_MAX) {
    throw new S3Failure("KeyTooLongError", "Your key is too long", {
      details: { MaxSizeAllowed: String(KEY_BYTES_MAX) },
    });
  }
  return { bucket, key };
}

/** @throws {S3Failure} `InvalidURI` where the bytes are not UTF-8. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Failure("InvalidURI", "Couldn't parse the specified URI.");
  }
}

function findOperation(
  request: Request,
  bucket: string,
  key: string,
  query: ReadonlyMap<string, string>,
): S3Operation {
  const found = bucket === ""
    ? request.method === "GET" ? "ListBuckets" : null
    : key === ""
    ? findBucketOperation(request.method, query)
    : findObjectOperation(request, query);
  if (found !== null) return found;
  throw new S3Failure(
    "MethodNotAllowed",
    "The specified method is not allowed against this resource.",
    { details: { Method: request.method } },
  );
}

function findBucketOperation(
  method: string,
  query: ReadonlyMap<string, string>,
): S3Operation | null {
  switch (method) {
    case "GET":
      if (query.has("location")) return "GetBucketLocation";
      if (query.has("uploads")) return "ListMultipartUploads";
      return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
    case "HEAD":
      return "HeadBucket";
    case "PUT":
      return "CreateBucket";
    case "DELETE":
      return "DeleteBucket";
    case "POST":
      return query.has("delete") ? "DeleteObjects" : null;
    default:
      return null;
  }
}

function findObjectOperation(
  request: Request,
  query: ReadonlyMap<string, string>,
): S3Operation | null {
  const hasUpload = query.has("uploadId");
  const isCopy = request.headers.has("x-amz-copy-source");
  switch (request.method) {
    case "GET":
      return hasUpload ? "ListParts" : "GetObject";
    case "HEAD":
      return "HeadObject";
    case "PUT":
      if (hasUpload) return isCopy ? "UploadPartCopy" : "UploadPart";
      return isCopy ? "CopyObject" : "PutObject";
    case "DELETE":
      return hasUpload ? "AbortMultipartUpload" : "DeleteObject";
    case "POST":
      if (query.has("uploads")) return "CreateMultipartUpload";
      return hasUpload ? "CompleteMultipartUpload" : null;
    default:
      return null;
  }
}

function notImplemented(name: string): S3Failure {
  return new S3Failure(
    "NotImplemented",
    "A header or query you provided implies functionality that is not implemented",
    { details: { Query: name } },
  );
}
