import { copyBody, type ReceivedBody } from "./body.ts";
import { type ByteSpan, readBodyFile, writeBodyFile } from "./body_file.ts";
import type { Bucket, StoredObject } from "./bucket.ts";
import { decode, type S3Call } from "./call.ts";
import { type ChecksumAlgorithm, isChecksumAlgorithm } from "./checksum.ts";
import { judgeRead, judgeWrite, preconditionFailed } from "./conditions.ts";
import { noSuchKey, S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import { quoted, readObjectHeaders } from "./object_headers.ts";
import { commitObject, nowInSeconds } from "./objects.ts";
import { element, xmlDocument, xmlResponse } from "./xml.ts";

/** The object that `x-amz-copy-source` names, its conditions fulfilled. */
export interface CopySource {
  readonly bucket: Bucket;
  readonly object: StoredObject;
}

/** See CopyObject in the S3 API Reference. */
export async function copyObject(
  call: S3Call,
  folder: S3Folder,
): Promise<Response> {
  const { headers } = call.request;
  const bucket = folder.bucket(call.bucket);
  const source = findCopySource(call, folder);
  const replaces = readDirective(headers) === "REPLACE";
  const isSame = source.bucket === bucket && source.object.key === call.key;
  if (isSame && !replaces) throw copyToItself();
  judgeWrite(headers, call.key, bucket.find(call.key));
  const algorithm = readAlgorithm(headers) ??
    source.object.checksum?.algorithm ?? null;
  const body = bucket.newBody();
  const copied = await copyBytes(source, null, bucket.pathOf(body), algorithm);
  const object: StoredObject = {
    key: call.key,
    sizeBytes: copied.sizeBytes,
    etag: copied.md5Hex,
    modifiedAtMs: nowInSeconds(),
    headers: replaces ? readObjectHeaders(headers) : source.object.headers,
    checksum: copied.checksum === null
      ? null
      : { ...copied.checksum, type: "FULL_OBJECT" },
    partSizes: null,
    body,
  };
  commitObject(call, folder, bucket, object);
  const result = [
    element("LastModified", new Date(object.modifiedAtMs).toISOString()),
    element("ETag", quoted(object.etag)),
  ];
  if (copied.checksum !== null) {
    const name = `Checksum${copied.checksum.algorithm.toUpperCase()}`;
    result.push(element(name, copied.checksum.value));
  }
  return xmlResponse(xmlDocument("CopyObjectResult", result));
}

/** @throws {S3Failure} `NoSuchKey`, `PreconditionFailed`, `InvalidArgument`. */
export function findCopySource(call: S3Call, folder: S3Folder): CopySource {
  const { headers } = call.request;
  const [path = "", version] = (headers.get("x-amz-copy-source") ?? "")
    .replace(/^\//, "").split("?versionId=");
  const decoded = decode(path);
  const slash = decoded.indexOf("/");
  const isPlain = version === undefined || version === "null";
  if (slash < 1 || slash === decoded.length - 1 || !isPlain) {
    throw new S3Failure(
      "InvalidArgument",
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
      { details: { ArgumentName: "x-amz-copy-source" } },
    );
  }
  const bucket = folder.bucket(decoded.slice(0, slash));
  const object = bucket.find(decoded.slice(slash + 1));
  if (object === null) throw noSuchKey(decoded.slice(slash + 1));
  const verdict = judgeRead(headers, object, "x-amz-copy-source-");
  if (verdict === "not_modified") {
    throw preconditionFailed("x-amz-copy-source-If-None-Match");
  }
  return { bucket, object };
}

/** @param span null for the whole object. */
export function copyBytes(
  source: CopySource,
  span: ByteSpan | null,
  path: string,
  algorithm: ChecksumAlgorithm | null,
): Promise<ReceivedBody> {
  const { bucket, object } = source;
  const whole = span ?? { offset: 0, end: object.sizeBytes };
  // Opened before anything is awaited: the source may be overwritten meanwhile.
  const bytes = whole.end === whole.offset
    ? new ReadableStream<Uint8Array>({ start: (stream) => stream.close() })
    : readBodyFile(bucket.pathOf(object.body), whole);
  return writeBodyFile(path, (write) => copyBody(bytes, write, algorithm));
}

/** @throws {S3Failure} `InvalidArgument` for an unknown algorithm. */
export function readAlgorithm(headers: Headers): ChecksumAlgorithm | null {
  const name = headers.get("x-amz-checksum-algorithm")?.toLowerCase();
  if (name === undefined) return null;
  if (isChecksumAlgorithm(name)) return name;
  throw new S3Failure(
    "NotImplemented",
    `The sandbox does not know the checksum algorithm ${name}.`,
  );
}

function readDirective(headers: Headers): "COPY" | "REPLACE" {
  const directive = headers.get("x-amz-metadata-directive") ?? "COPY";
  if (directive === "COPY" || directive === "REPLACE") return directive;
  throw new S3Failure("InvalidArgument", "Unknown metadata directive.", {
    details: { ArgumentName: "x-amz-metadata-directive" },
  });
}

function copyToItself(): S3Failure {
  return new S3Failure(
    "InvalidRequest",
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  );
}
