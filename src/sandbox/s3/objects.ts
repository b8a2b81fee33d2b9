import { receiveBody } from "./body.ts";
import { readBodyFile, writeBodyFile } from "./body_file.ts";
import type { Bucket, StoredObject } from "./bucket.ts";
import type { S3Call } from "./call.ts";
import { judgeDelete, judgeRead, judgeWrite } from "./conditions.ts";
import { noSuchBucket, noSuchKey, S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import {
  applyOverrides,
  objectResponseHeaders,
  quoted,
  readObjectHeaders,
  setChecksumHeaders,
} from "./object_headers.ts";
import { parseRange, partSpan } from "./range.ts";

/** See PutObject in the S3 API Reference. */
export async function putObject(
  call: S3Call,
  folder: S3Folder,
): Promise<Response> {
  const { key, request } = call;
  const bucket = folder.bucket(call.bucket);
  const kept = readObjectHeaders(request.headers);
  judgeWrite(request.headers, key, bucket.find(key));
  const body = bucket.newBody();
  const received = await writeBodyFile(
    bucket.pathOf(body),
    (write) => receiveBody(request, write),
  );
  const object: StoredObject = {
    key,
    sizeBytes: received.sizeBytes,
    etag: received.md5Hex,
    modifiedAtMs: nowInSeconds(),
    headers: kept,
    checksum: received.checksum === null
      ? null
      : { ...received.checksum, type: "FULL_OBJECT" },
    partSizes: null,
    body,
  };
  commitObject(call, folder, bucket, object);
  const headers = new Headers({
    etag: quoted(object.etag),
    "x-amz-server-side-encryption": "AES256",
  });
  setChecksumHeaders(headers, object.checksum);
  return new Response(null, { headers });
}

/**
 * Makes an object visible, unless a condition no longer holds or the bucket
 * went away while the bytes came in; then its file is removed.
 */
export function commitObject(
  call: S3Call,
  folder: S3Folder,
  bucket: Bucket,
  object: StoredObject,
): void {
  try {
    if (folder.bucket(call.bucket) !== bucket) throw noSuchBucket(call.bucket);
    judgeWrite(call.request.headers, call.key, bucket.find(call.key));
    bucket.put(object);
  } catch (error) {
    bucket.discard(object.body);
    throw error;
  }
}

/** See GetObject and HeadObject in the S3 API Reference. */
export function readObject(call: S3Call, folder: S3Folder): Response {
  const { query, request } = call;
  const bucket = folder.bucket(call.bucket);
  const object = bucket.find(call.key);
  if (object === null) throw noSuchKey(call.key);
  const headers = objectResponseHeaders(object);
  if (judgeRead(request.headers, object) === "not_modified") {
    return new Response(null, { status: 304, headers });
  }
  applyOverrides(headers, query);
  const partNumber = query.get("partNumber");
  const partial = partNumber === undefined
    ? parseRange(request.headers.get("range"), object.sizeBytes)
    : findPart(object, partNumber, headers);
  const span = partial ?? { offset: 0, end: object.sizeBytes };
  headers.set("content-length", String(span.end - span.offset));
  if (partial !== null) {
    const { offset, end } = partial;
    headers.set(
      "content-range",
      `bytes ${offset}-${end - 1}/${object.sizeBytes}`,
    );
  } else if (request.headers.get("x-amz-checksum-mode") === "ENABLED") {
    // Clients would compare a whole object's checksum with a range's bytes.
    setChecksumHeaders(headers, object.checksum);
  }
  const hasBody = request.method === "GET" && span.end > span.offset;
  const body = hasBody ? readBodyFile(bucket.pathOf(object.body), span) : null;
  return new Response(body, { status: partial === null ? 200 : 206, headers });
}

/** See DeleteObject in the S3 API Reference: what is not there is a 204. */
export function deleteObject(call: S3Call, folder: S3Folder): Response {
  const bucket = folder.bucket(call.bucket);
  const object = bucket.find(call.key);
  if (object !== null) {
    judgeDelete(call.request.headers, object);
    bucket.remove(call.key);
  }
  return new Response(null, { status: 204 });
}

/** Objects carry whole seconds, as `Last-Modified` can tell no more. */
export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000) * 1000;
}

function findPart(
  object: StoredObject,
  text: string,
  headers: Headers,
): { offset: number; end: number } | null {
  const partSizes = object.partSizes ?? [object.sizeBytes];
  const span = partSpan(partSizes, Number(text));
  if (span === null) {
    throw new S3Failure(
      "InvalidArgument",
      "The requested partnumber is not satisfiable",
      { details: { ArgumentName: "partNumber", ArgumentValue: text } },
    );
  }
  if (object.partSizes !== null) {
    headers.set("x-amz-mp-parts-count", String(partSizes.length));
  }
  return span.end > span.offset ? span : null;
}
