import { receiveBody, type ReceivedBody } from "./body.ts";
import { writeBodyFile } from "./body_file.ts";
import type { Bucket } from "./bucket.ts";
import type { S3Call } from "./call.ts";
import { copyBytes, findCopySource, readAlgorithm } from "./copying.ts";
import { noSuchBucket, S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import { readEncoding } from "./listing.ts";
import { quoted, readObjectHeaders } from "./object_headers.ts";
import { readCount } from "./parameter.ts";
import { parseRange } from "./range.ts";
import type { Upload } from "./uploads.ts";
import { element, xmlDocument, xmlResponse } from "./xml.ts";

const PART_NUMBER_MAX = 10_000;
const PAGE_MAX = 1000;

/** See CreateMultipartUpload in the S3 API Reference. */
export function createUpload(call: S3Call, folder: S3Folder): Response {
  const { headers } = call.request;
  const bucket = folder.bucket(call.bucket);
  const algorithm = readAlgorithm(headers);
  const type = headers.get("x-amz-checksum-type");
  const upload = folder.uploads.start({
    bucket: bucket.name,
    key: call.key,
    headers: readObjectHeaders(headers),
    algorithm,
    checksumType: type === "FULL_OBJECT" ? "FULL_OBJECT" : "COMPOSITE",
  });
  const response = xmlResponse(
    xmlDocument("InitiateMultipartUploadResult", [
      element("Bucket", bucket.name),
      element("Key", call.key),
      element("UploadId", upload.id),
    ]),
  );
  if (algorithm !== null) {
    response.headers.set("x-amz-checksum-algorithm", algorithm.toUpperCase());
    response.headers.set("x-amz-checksum-type", upload.checksumType);
  }
  return response;
}

/** See UploadPart in the S3 API Reference. */
export async function uploadPart(
  call: S3Call,
  folder: S3Folder,
): Promise<Response> {
  const { request } = call;
  const received = await receivePart(call, folder, (path, upload) => {
    requireAlgorithm(request.headers, upload);
    return writeBodyFile(
      path,
      (write) => receiveBody(request, write, { algorithm: upload.algorithm }),
    );
  });
  const response = new Response(null, {
    headers: { etag: quoted(received.md5Hex) },
  });
  if (received.checksum !== null) {
    const { algorithm, value } = received.checksum;
    response.headers.set(`x-amz-checksum-${algorithm}`, value);
  }
  return response;
}

/** See UploadPartCopy in the S3 API Reference. */
export async function copyPart(
  call: S3Call,
  folder: S3Folder,
): Promise<Response> {
  const source = findCopySource(call, folder);
  const range = call.request.headers.get("x-amz-copy-source-range");
  const span = parseRange(range, source.object.sizeBytes);
  const received = await receivePart(
    call,
    folder,
    (path, upload) => copyBytes(source, span, path, upload.algorithm),
  );
  return xmlResponse(
    xmlDocument("CopyPartResult", [
      element("LastModified", new Date().toISOString()),
      element("ETag", quoted(received.md5Hex)),
    ]),
  );
}

/** See AbortMultipartUpload in the S3 API Reference. */
export function abortUpload(call: S3Call, folder: S3Folder): Response {
  const bucket = folder.bucket(call.bucket);
  const upload = findUpload(call, folder);
  folder.uploads.remove(upload.id);
  discardParts(bucket, upload);
  return new Response(null, { status: 204 });
}

/** See ListParts in the S3 API Reference. */
export function listParts(call: S3Call, folder: S3Folder): Response {
  folder.bucket(call.bucket);
  const { query } = call;
  const encode = readEncoding(query);
  const upload = findUpload(call, folder);
  const countMax = readCount(query, "max-parts", PAGE_MAX);
  const after = readCount(query, "part-number-marker", PART_NUMBER_MAX);
  const marker = query.has("part-number-marker") ? after : 0;
  const parts = [...upload.parts.values()]
    .filter(({ partNumber }) => partNumber > marker)
    .sort((a, b) => a.partNumber - b.partNumber);
  const page = parts.slice(0, countMax);
  const body = [
    element("Bucket", call.bucket),
    element("Key", encode(call.key)),
    element("UploadId", upload.id),
    element("PartNumberMarker", marker),
    element("NextPartNumberMarker", page.at(-1)?.partNumber ?? marker),
    element("MaxParts", countMax),
    element("IsTruncated", String(page.length < parts.length)),
    element("StorageClass", "STANDARD"),
  ];
  for (const part of page) {
    const content = [
      element("PartNumber", part.partNumber),
      element("LastModified", new Date(part.modifiedAtMs).toISOString()),
      element("ETag", quoted(part.md5Hex)),
      element("Size", part.sizeBytes),
    ];
    if (part.checksum !== null) {
      const name = `Checksum${part.checksum.algorithm.toUpperCase()}`;
      content.push(element(name, part.checksum.value));
    }
    body.push(element("Part", content));
  }
  return xmlResponse(xmlDocument("ListPartsResult", body));
}

/** See ListMultipartUploads; one page of 1,000 is all the sandbox gives. */
export function listUploads(call: S3Call, folder: S3Folder): Response {
  const encode = readEncoding(call.query);
  const bucket = folder.bucket(call.bucket);
  const prefix = call.query.get("prefix") ?? "";
  const uploads = folder.uploads.list(bucket.name)
    .filter(({ key }) => key.startsWith(prefix))
    .slice(0, PAGE_MAX);
  const body = [
    element("Bucket", bucket.name),
    element("Prefix", encode(prefix)),
    element("MaxUploads", PAGE_MAX),
    element("IsTruncated", "false"),
    ...uploads.map((upload) =>
      element("Upload", [
        element("Key", encode(upload.key)),
        element("UploadId", upload.id),
        element("Initiated", new Date(upload.startedAtMs).toISOString()),
        element("StorageClass", "STANDARD"),
      ])
    ),
  ];
  return xmlResponse(xmlDocument("ListMultipartUploadsResult", body));
}

export function findUpload(call: S3Call, folder: S3Folder): Upload {
  const id = call.query.get("uploadId") ?? "";
  return folder.uploads.find(id, call.bucket, call.key);
}

export function discardParts(bucket: Bucket, upload: Upload): void {
  for (const part of upload.parts.values()) bucket.discard(part.body);
}

async function receivePart(
  call: S3Call,
  folder: S3Folder,
  receive: (path: string, upload: Upload) => Promise<ReceivedBody>,
): Promise<ReceivedBody> {
  const bucket = folder.bucket(call.bucket);
  const upload = findUpload(call, folder);
  const partNumber = readPartNumber(call.query.get("partNumber"));
  const body = bucket.newBody();
  const received = await receive(bucket.pathOf(body), upload);
  try {
    // It may have been aborted while the bytes came in.
    if (folder.bucket(call.bucket) !== bucket) throw noSuchBucket(call.bucket);
    findUpload(call, folder);
  } catch (error) {
    bucket.discard(body);
    throw error;
  }
  const old = upload.parts.get(partNumber);
  const modifiedAtMs = Date.now();
  upload.parts.set(partNumber, { ...received, partNumber, modifiedAtMs, body });
  if (old !== undefined) bucket.discard(old.body);
  return received;
}

function readPartNumber(text: string | undefined): number {
  const partNumber = /^[0-9]{1,5}$/.test(text ?? "") ? Number(text) : 0;
  if (partNumber >= 1 && partNumber <= PART_NUMBER_MAX) return partNumber;
  throw new S3Failure(
    "InvalidArgument",
    "Part number must be an integer between 1 and 10000, inclusive",
    { details: { ArgumentName: "partNumber", ArgumentValue: text ?? "" } },
  );
}

function requireAlgorithm(headers: Headers, upload: Upload): void {
  if (upload.algorithm === null) return;
  const sent = [...headers.keys(), headers.get("x-amz-trailer") ?? ""]
    .map((name) => /^x-amz-checksum-((?:crc|sha).*)$/.exec(name)?.[1])
    .find((name) => name !== undefined);
  if (sent === undefined || sent === upload.algorithm) return;
  throw new S3Failure(
    "InvalidRequest",
    `Checksum Type mismatch occurred, expected checksum Type: ${upload.algorithm}, actual checksum Type: ${sent}`,
  );
}
