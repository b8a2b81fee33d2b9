import { GatewayError } from "../domain/failure.ts";
import type { UploadChecksum } from "../domain/uploads/checksums.ts";
import {
  type CompletedUpload,
  type CompletionOrder,
  PART_NUMBER_MAX,
  type UploadEntry,
  type UploadName,
  type UploadPart,
} from "../domain/uploads/upload.ts";
import { documentAnswer, emptyAnswer, type S3Answer } from "./answer.ts";
import { type ObjectCall, S3_PATH } from "./call.ts";
import { parseCompletionDocument } from "./completion_document.ts";
import { parsePutCondition } from "./conditions.ts";
import { quoteEtag } from "./etag.ts";
import { openBody, readDocument } from "./exchange.ts";
import type { FileExchange } from "./file_exchange.ts";
import { ownerElement } from "./lists.ts";
import {
  checksumType,
  parseObjectHeaders,
  refuseUnsupportedHeaders,
  storedEncoding,
} from "./object_headers.ts";
import { readEntriesMax, readInteger } from "./parameter.ts";
import { patientAnswer } from "./patient_answer.ts";
import {
  readChecksumType,
  readExpectedChecksum,
  readUploadChecksum,
} from "./upload_checksum.ts";
import { branch, leaf, type XmlElement } from "./xml.ts";

const LISTED_PARTS_MAX = 1000;

export async function createMultipartUpload(
  exchange: FileExchange,
  { bucket, key }: ObjectCall,
): Promise<S3Answer> {
  const { context, uploads, provider, headers } = exchange;
  refuseUnsupportedHeaders(headers);
  const checksum = readUploadChecksum(headers);
  const upload = await uploads.create(context, provider, {
    bucket,
    key,
    headers: parseObjectHeaders(headers, {
      contentEncoding: storedEncoding(headers),
      checksums: {},
    }),
    checksum,
  });
  return documentAnswer(
    branch("InitiateMultipartUploadResult", [
      leaf("Bucket", bucket),
      leaf("Key", key),
      leaf("UploadId", upload.uploadId),
    ]),
    checksum === null ? {} : {
      "x-amz-checksum-algorithm": checksum.algorithm.toUpperCase(),
      "x-amz-checksum-type": checksum.type,
    },
  );
}

export async function uploadPart(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const { context, uploads, provider, storage, headers } = exchange;
  refuseUnsupportedHeaders(headers);
  const partNumber = readPartNumber(call);
  const name = uploadNameOf(call);
  // Before a body that may be refused for its size.
  await uploads.find(context, provider, name);
  const body = openBody(exchange, storage.fileBytesMax);
  const part = await uploads.putPart(context, provider, name, {
    partNumber,
    body,
    checksums: body.checksums,
  });
  return emptyAnswer(200, {
    etag: quoteEtag(part.etag),
    ...Object.fromEntries(
      Object.entries(part.checksums)
        .map(([algorithm, value]) => [`x-amz-checksum-${algorithm}`, value]),
    ),
  });
}

export async function completeMultipartUpload(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const { context, uploads, provider } = exchange;
  const name = uploadNameOf(call);
  const order = await readCompletion(exchange);
  const { checksum } = await findForCompletion(exchange, name);
  checkType(readChecksumType(exchange.headers), checksum);
  const work = uploads.complete(context, provider, name, order)
    .then((result) => completionResult(call, result));
  const { requestId } = context;
  return await patientAnswer(work, { requestId, report: exchange.report });
}

async function readCompletion(
  exchange: FileExchange,
): Promise<CompletionOrder> {
  const { headers } = exchange;
  const condition = parsePutCondition(headers);
  const checksum = readExpectedChecksum(headers);
  const sizeBytes = readObjectSize(headers);
  const { bytes } = await readDocument(exchange, "object");
  const parts = parseCompletionDocument(bytes);
  return { parts, condition, sizeBytes, checksum };
}

/** One that has been completed is answered again, whatever it was. */
async function findForCompletion(
  { context, uploads, provider }: FileExchange,
  name: UploadName,
): Promise<Pick<UploadEntry, "checksum">> {
  try {
    return await uploads.find(context, provider, name);
  } catch (error) {
    const isGone = error instanceof GatewayError &&
      error.failure.kind === "no_such_upload";
    if (!isGone) throw error;
    return { checksum: null };
  }
}

function checkType(
  given: UploadChecksum["type"] | null,
  chosen: UploadChecksum | null,
): void {
  if (given === null || chosen === null || given === chosen.type) return;
  throw new GatewayError(
    { kind: "invalid_request" },
    `The upload was created using the ${chosen.type} checksum mode. The ` +
      "complete request must use the same checksum mode.",
  );
}

function readObjectSize(headers: Headers): number | null {
  const text = headers.get("x-amz-mp-object-size");
  if (text === null) return null;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new GatewayError(
    {
      kind: "invalid_argument",
      argument: "x-amz-mp-object-size",
      value: text.slice(0, 128),
    },
    "The header x-amz-mp-object-size must be a number of bytes.",
  );
}

function completionResult(
  { bucket, key, rawKey }: ObjectCall,
  { etag, checksums }: CompletedUpload,
): XmlElement {
  return branch("CompleteMultipartUploadResult", [
    leaf("Location", `${S3_PATH}/${bucket}/${rawKey}`),
    leaf("Bucket", bucket),
    leaf("Key", key),
    leaf("ETag", quoteEtag(etag)),
    ...checksumElements(checksums),
    checksumTypeElement(checksums),
  ]);
}

export async function abortMultipartUpload(
  { context, uploads, provider }: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  await uploads.abort(context, provider, uploadNameOf(call));
  return emptyAnswer(204);
}

export async function listParts(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const { context, uploads, provider } = exchange;
  const { parameters } = call;
  const bounds = { min: 0, max: 2 ** 31 - 1 };
  const marker = readInteger(parameters, "part-number-marker", bounds) ?? 0;
  const partsMax = readEntriesMax(parameters, "max-parts", LISTED_PARTS_MAX);
  const upload = await uploads.find(context, provider, uploadNameOf(call));
  const page: UploadPart[] = [];
  let truncated = false;
  for await (const part of uploads.listParts(upload.uploadId, marker)) {
    truncated = page.length === partsMax;
    if (truncated) break;
    page.push(part);
  }
  const owner = ownerElement(exchange);
  const { checksum } = upload;
  return documentAnswer(branch("ListPartsResult", [
    leaf("Bucket", upload.bucket),
    leaf("Key", upload.key),
    leaf("UploadId", upload.uploadId),
    leaf("PartNumberMarker", marker),
    leaf("NextPartNumberMarker", page.at(-1)?.partNumber ?? marker),
    leaf("MaxParts", partsMax),
    leaf("IsTruncated", String(truncated && partsMax > 0)),
    ...page.map(partElement),
    { ...owner, name: "Initiator" },
    owner,
    leaf("StorageClass", "STANDARD"),
    ...uploadChecksumElements(checksum),
  ]));
}

function partElement(part: UploadPart): XmlElement {
  return branch("Part", [
    leaf("PartNumber", part.partNumber),
    leaf("LastModified", part.modifiedAt.toISOString()),
    leaf("ETag", quoteEtag(part.etag)),
    leaf("Size", part.sizeBytes),
    ...checksumElements(part.checksums),
  ]);
}

export function uploadNameOf(
  { bucket, key, parameters }: ObjectCall,
): UploadName {
  return { bucket, key, uploadId: parameters.get("uploadId") ?? "" };
}

/** @throws {GatewayError} `invalid_argument`. */
export function readPartNumber({ parameters }: ObjectCall): number {
  const bounds = { min: 1, max: PART_NUMBER_MAX };
  const number = readInteger(parameters, "partNumber", bounds);
  if (number !== null) return number;
  throw new GatewayError(
    { kind: "invalid_argument", argument: "partNumber" },
    "A part is uploaded with both uploadId and partNumber.",
  );
}

/** `ChecksumCRC32` and the like. */
export function checksumElements(
  checksums: Readonly<Record<string, string>>,
): XmlElement[] {
  return Object.entries(checksums).map(([algorithm, value]) =>
    leaf(`Checksum${algorithm.toUpperCase()}`, value)
  );
}

export function checksumTypeElement(
  checksums: Readonly<Record<string, string>>,
): XmlElement | null {
  const type = checksumType(checksums);
  return type === null ? null : leaf("ChecksumType", type);
}

/** What an upload's checksum will be, in lists. */
export function uploadChecksumElements(
  checksum: UploadChecksum | null,
): XmlElement[] {
  if (checksum === null) return [];
  return [
    leaf("ChecksumAlgorithm", checksum.algorithm.toUpperCase()),
    leaf("ChecksumType", checksum.type),
  ];
}
