import { createDigest } from "../auth/digest.ts";
import type { ByteStream } from "../domain/bytes.ts";
import type { CopySource } from "../domain/copies/copy_sources.ts";
import type { ObjectBody } from "../domain/driver.ts";
import type { ObjectHeaders } from "../domain/object.ts";
import { summed } from "../domain/uploads/checksums.ts";
import type { S3Answer } from "./answer.ts";
import type { ObjectCall } from "./call.ts";
import { parsePutCondition } from "./conditions.ts";
import {
  checkSourceConditions,
  readMetadataDirective,
  readSourceName,
  readSourceRange,
  refuseCopyOntoItself,
} from "./copy_request.ts";
import { quoteEtag } from "./etag.ts";
import type { FileExchange } from "./file_exchange.ts";
import {
  parseObjectHeaders,
  refuseUnsupportedHeaders,
  storedEncoding,
} from "./object_headers.ts";
import { patientAnswer } from "./patient_answer.ts";
import { readChecksumAlgorithm } from "./upload_checksum.ts";
import {
  checksumElements,
  checksumTypeElement,
  readPartNumber,
  uploadNameOf,
} from "./uploads.ts";
import { branch, leaf, type XmlElement } from "./xml.ts";

/** Copies an object, from any provider, into a new file. */
export async function copyObject(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const { headers } = exchange;
  refuseUnsupportedHeaders(headers);
  const source = await findSource(exchange);
  const isSame = source.provider === exchange.provider &&
    source.bucket === call.bucket && source.key === call.key;
  if (isSame && readMetadataDirective(headers) === "COPY") {
    refuseCopyOntoItself();
  }
  const { requestId } = exchange.context;
  const work = copyWhole(exchange, call, source);
  return await patientAnswer(work, { requestId, report: exchange.report });
}

async function copyWhole(
  exchange: FileExchange,
  { bucket, key }: ObjectCall,
  source: CopySource,
): Promise<XmlElement> {
  const { context, files, provider, headers } = exchange;
  const condition = parsePutCondition(headers);
  const stored = copiedHeaders(headers, source);
  const stream = await source.open(null);
  const body = copiedBody(headers, stream, source.sizeBytes);
  const object = await files
    .put(context, provider, { bucket, key, headers: stored, body, condition })
    .catch(async (error: unknown) => {
      // Whoever refuses a put before its body leaves that unread.
      await stream.cancel().catch(() => {});
      throw error;
    });
  const { checksums } = object.headers;
  return branch("CopyObjectResult", [
    leaf("LastModified", object.modifiedAt.toISOString()),
    leaf("ETag", quoteEtag(object.etag)),
    ...checksumElements(checksums),
    checksumTypeElement(checksums),
  ]);
}

/** Copies an object, or a range of it, into a part of an upload. */
export async function uploadPartCopy(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  refuseUnsupportedHeaders(exchange.headers);
  const { requestId } = exchange.context;
  const work = copyPart(exchange, call);
  return await patientAnswer(work, { requestId, report: exchange.report });
}

async function copyPart(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<XmlElement> {
  const { context, uploads, provider, headers } = exchange;
  const partNumber = readPartNumber(call);
  const name = uploadNameOf(call);
  await uploads.find(context, provider, name);
  const source = await findSource(exchange);
  const range = readSourceRange(headers, source);
  const stream = await source.open(range);
  const sizeBytes = range?.lengthBytes ?? source.sizeBytes;
  const draft = { partNumber, body: { stream, sizeBytes }, checksums: {} };
  const part = await uploads.putPart(context, provider, name, draft)
    .catch(async (error: unknown) => {
      await stream.cancel().catch(() => {});
      throw error;
    });
  return branch("CopyPartResult", [
    leaf("LastModified", part.modifiedAt.toISOString()),
    leaf("ETag", quoteEtag(part.etag)),
    ...checksumElements(part.checksums),
  ]);
}

async function findSource(exchange: FileExchange): Promise<CopySource> {
  const { context, sources, provider, headers } = exchange;
  const name = readSourceName(headers);
  const source = await sources.find(context, provider, name);
  checkSourceConditions(headers, source);
  return source;
}

function copiedHeaders(headers: Headers, source: CopySource): ObjectHeaders {
  const checksums = Object.fromEntries(
    // A checksum of parts says nothing about an object without parts.
    Object.entries(source.headers.checksums)
      .filter(([, value]) => !value.includes("-")),
  );
  if (readMetadataDirective(headers) === "COPY") {
    return { ...source.headers, checksums };
  }
  const contentEncoding = storedEncoding(headers);
  return parseObjectHeaders(headers, { contentEncoding, checksums });
}

/** With `x-amz-checksum-algorithm`, the copy gets a checksum of its own. */
function copiedBody(
  headers: Headers,
  stream: ByteStream,
  sizeBytes: number,
): ObjectBody {
  const algorithm = readChecksumAlgorithm(headers);
  if (algorithm === null) return { stream, sizeBytes };
  const digest = createDigest(algorithm);
  return {
    stream: summed(stream, [digest]),
    sizeBytes,
    trailer: {
      name: `x-amz-checksum-${algorithm}`,
      value: () => digest.base64(),
    },
  };
}
