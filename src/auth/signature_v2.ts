import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { GatewayError } from "../domain/failure.ts";
import { decodePercent, type RequestTarget } from "../http/target.ts";
import type { SignedRequest } from "./signed_request.ts";

/**
 * A presigned URL of Signature Version 2, which boto3 still makes in us-east-1
 * unless it is told to use `s3v4` (botocore, HmacV1QueryAuth).
 */
export interface PresignedV2 {
  readonly accessKeyId: string;
  /** Base64. */
  readonly signature: string;
  /** As it stood in the URL: it is part of what is signed. */
  readonly expires: string;
  readonly expiresAtMs: number;
}

/** Where the S3 front end lives; see `listPathForms`. */
const S3_BASE_PATH = "/bedrock/files";

/** Query parameters that are signed (botocore, HmacV1Auth.QSAOfInterest). */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  "accelerate",
  "acl",
  "analytics",
  "cors",
  "defaultObjectAcl",
  "delete",
  "inventory",
  "lifecycle",
  "location",
  "logging",
  "metrics",
  "notification",
  "object-lock",
  "partNumber",
  "policy",
  "replication",
  "requestPayment",
  "response-cache-control",
  "response-content-disposition",
  "response-content-encoding",
  "response-content-language",
  "response-content-type",
  "response-expires",
  "restore",
  "select",
  "select-type",
  "storageClass",
  "tagging",
  "torrent",
  "uploadId",
  "uploads",
  "versionId",
  "versioning",
  "versions",
  "website",
]);

/** Whether the header holds a signature of Version 2: `AWS <key id>:<base64>`. */
export function isHeaderV2(authorization: string): boolean {
  return /^AWS [^:\s]+:\S+$/.test(authorization);
}

/** @throws {GatewayError} `access_denied`, as S3 answers. */
export function parsePresignedV2(target: RequestTarget): PresignedV2 {
  const query = new Map(target.query);
  const accessKeyId = query.get("AWSAccessKeyId");
  const signature = query.get("Signature");
  const expires = query.get("Expires");
  if (
    accessKeyId === undefined || signature === undefined ||
    expires === undefined
  ) {
    throw new GatewayError(
      { kind: "access_denied" },
      "Query-string authentication requires the Signature, Expires and " +
        "AWSAccessKeyId parameters.",
    );
  }
  if (!/^\d{1,12}$/.test(expires)) {
    throw new GatewayError(
      { kind: "access_denied" },
      "Invalid date: Expires should be seconds since epoch.",
    );
  }
  const expiresAtMs = Number(expires) * 1000;
  return { accessKeyId, signature, expires, expiresAtMs };
}

/**
 * The base64 signatures that the request may have. There is more than one
 * because clients disagree on whether an endpoint's own path is signed:
 * botocore signs `/bucket/key` (and `/bucket/` for a bucket), others the whole.
 */
export function signV2(
  request: SignedRequest,
  expires: string,
  secretAccessKey: string,
): string[] {
  const lines = [
    request.method,
    readHeader(request.headers.get("content-md5")),
    readHeader(request.headers.get("content-type")),
    expires,
    ...listAmzLines(request),
  ];
  const subResources = formatSubResources(request.target.rawQuery);
  return listPathForms(request.target.rawPath).map((path) =>
    createHmac("sha1", secretAccessKey)
      .update([...lines, path + subResources].join("\n"))
      .digest("base64")
  );
}

function listPathForms(rawPath: string): string[] {
  if (rawPath === S3_BASE_PATH) return [rawPath, "/"];
  if (!rawPath.startsWith(`${S3_BASE_PATH}/`)) return [rawPath];
  const bucketPath = rawPath.slice(S3_BASE_PATH.length);
  // Else one signature would fit two objects: `key` in `bucket`, and
  // `files/bucket/key` in a bucket named `bedrock`.
  if (bucketPath.startsWith(S3_BASE_PATH)) return [rawPath];
  const isBucket = bucketPath.lastIndexOf("/") === 0;
  return [bucketPath, rawPath, ...isBucket ? [`${bucketPath}/`] : []];
}

/**
 * `x-amz-*` given when the URL was made stand in its query, where S3 takes them
 * for headers; one that comes as a header too must be the same.
 */
function listAmzLines(request: SignedRequest): string[] {
  const values = new Map<string, string>();
  for (const [name, value] of request.target.query) {
    // A decoded line end could pass for the end of what was signed.
    if (/^x-amz-[a-z0-9-]+$/.test(name) && !/[\r\n]/.test(value)) {
      values.set(name, value.trim());
    }
  }
  for (const [name, value] of request.headers) {
    if (name.startsWith("x-amz-")) values.set(name, readHeader(value));
  }
  return [...values]
    .toSorted((a, b) => a[0] < b[0] ? -1 : 1)
    .map(([name, value]) => `${name}:${value}`);
}

/** The runtime shows a header's bytes as Latin-1; clients sign UTF-8. */
function readHeader(value: string | null): string {
  return Buffer.from(value ?? "", "latin1").toString("utf8").trim();
}

/** The signed parameters in order, values decoded, valueless ones bare. */
function formatSubResources(rawQuery: string): string {
  const pairs = rawQuery.split("&").map((pair): [string, string] => {
    const equals = pair.indexOf("=");
    if (equals < 0) return [pair, ""];
    const value = decodePercent(pair.slice(equals + 1));
    return [pair.slice(0, equals), `=${value}`];
  }).filter(([name]) => SIGNED_PARAMETERS.has(name));
  if (pairs.length === 0) return "";
  return "?" + pairs
    .toSorted((a, b) => a[0] < b[0] ? -1 : 1)
    .map(([name, value]) => name + value)
    .join("&");
}
