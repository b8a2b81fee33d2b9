import { Buffer } from "node:buffer";
import { copyBody, receiveText } from "./body.ts";
import { readBodyFile, writeBodyFile } from "./body_file.ts";
import type { Bucket, StoredObject } from "./bucket.ts";
import type { S3Call } from "./call.ts";
import {
  type Checksum,
  type ChecksumAlgorithm,
  digestOf,
  toBase64,
  toHex,
} from "./checksum.ts";
import { judgeWrite } from "./conditions.ts";
import { malformedXml, S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import { discardParts, findUpload } from "./multipart.ts";
import { quoted } from "./object_headers.ts";
import { commitObject, nowInSeconds } from "./objects.ts";
import type { Upload, UploadedPart } from "./uploads.ts";
import {
  childText,
  element,
  parseXml,
  xmlDocument,
  xmlResponse,
} from "./xml.ts";

const XML_BYTES_MAX = 4 * 1024 * 1024;
const PARTS_MAX = 10_000;
/** Every part but the last; see "Amazon S3 multipart upload limits". */
const PART_BYTES_MIN = 5 * 1024 * 1024;

/** See CompleteMultipartUpload in the S3 API Reference. */
export async function completeUpload(
  call: S3Call,
  folder: S3Folder,
): Promise<Response> {
  const { headers } = call.request;
  const bucket = folder.bucket(call.bucket);
  const upload = findUpload(call, folder);
  const named = parseParts(await receiveText(call.request, XML_BYTES_MAX));
  const parts = chooseParts(upload, named);
  judgeWrite(headers, call.key, bucket.find(call.key));
  const body = bucket.newBody();
  const joined = await writeBodyFile(
    bucket.pathOf(body),
    (write) => copyBody(partBytes(bucket, parts), write, upload.algorithm),
  );
  const checksum = upload.checksumType === "FULL_OBJECT"
    ? joined.checksum && { ...joined.checksum, type: "FULL_OBJECT" as const }
    : compositeChecksum(upload.algorithm, parts);
  const object: StoredObject = {
    key: call.key,
    sizeBytes: joined.sizeBytes,
    etag: multipartEtag(parts),
    modifiedAtMs: nowInSeconds(),
    headers: { ...upload.headers },
    checksum,
    partSizes: parts.map(({ sizeBytes }) => sizeBytes),
    body,
  };
  commitUpload(call, folder, bucket, upload, object);
  return xmlResponse(xmlDocument("CompleteMultipartUploadResult", [
    element("Location", new URL(call.request.url).origin + call.rawPath),
    element("Bucket", bucket.name),
    element("Key", call.key),
    element("ETag", quoted(object.etag)),
    ...checksumElements(checksum),
  ]));
}

function commitUpload(
  call: S3Call,
  folder: S3Folder,
  bucket: Bucket,
  upload: Upload,
  object: StoredObject,
): void {
  try {
    // Another completion, or an abort, may have won while bytes were joined.
    findUpload(call, folder);
    verifyWhole(call.request.headers, object);
  } catch (error) {
    bucket.discard(object.body);
    throw error;
  }
  commitObject(call, folder, bucket, object);
  folder.uploads.remove(upload.id);
  discardParts(bucket, upload);
}

interface NamedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** Checksums by algorithm, as the caller repeats them. */
  readonly checksums: ReadonlyMap<string, string>;
}

/** @throws {S3Failure} `MalformedXML`, `InvalidPartOrder`. */
function parseParts(text: string): NamedPart[] {
  const root = parseXml(text);
  if (root?.name !== "CompleteMultipartUpload") throw malformedXml();
  const entries = root.children.filter(({ name }) => name === "Part");
  if (entries.length === 0 || entries.length > PARTS_MAX) throw malformedXml();
  const parts = entries.map((entry) => {
    const number = childText(entry, "PartNumber")?.trim() ?? "";
    const etag = childText(entry, "ETag")?.trim();
    if (!/^[0-9]{1,5}$/.test(number) || etag === undefined) {
      throw malformedXml();
    }
    const checksums = entry.children
      .filter(({ name }) => name.startsWith("Checksum"))
      .map(({ name, text }) => [name.slice(8).toLowerCase(), text] as const);
    return {
      partNumber: Number(number),
      etag: etag.replace(/^"(.*)"$/, "$1"),
      checksums: new Map(checksums),
    };
  });
  const isOrdered = parts.every((part, index) =>
    part.partNumber > (parts[index - 1]?.partNumber ?? 0)
  );
  if (isOrdered) return parts;
  throw new S3Failure(
    "InvalidPartOrder",
    "The list of parts was not in ascending order. Parts must be ordered by part number.",
  );
}

/** @throws {S3Failure} `InvalidPart`, `EntityTooSmall`. */
function chooseParts(
  upload: Upload,
  named: readonly NamedPart[],
): UploadedPart[] {
  return named.map((wanted, index) => {
    const part = upload.parts.get(wanted.partNumber);
    const isSame = part !== undefined && part.md5Hex === wanted.etag;
    if (!isSame || !repeatsChecksum(wanted, part)) {
      throw new S3Failure(
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
        {
          details: {
            UploadId: upload.id,
            PartNumber: String(wanted.partNumber),
            ETag: wanted.etag,
          },
        },
      );
    }
    if (part.sizeBytes < PART_BYTES_MIN && index < named.length - 1) {
      throw new S3Failure(
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        {
          details: {
            ProposedSize: String(part.sizeBytes),
            MinSizeAllowed: String(PART_BYTES_MIN),
            PartNumber: String(part.partNumber),
          },
        },
      );
    }
    return part;
  });
}

function repeatsChecksum(wanted: NamedPart, part: UploadedPart): boolean {
  return [...wanted.checksums].every(([algorithm, value]) =>
    part.checksum?.algorithm !== algorithm || part.checksum.value === value
  );
}

async function* partBytes(
  bucket: Bucket,
  parts: readonly UploadedPart[],
): AsyncGenerator<Uint8Array> {
  for (const { body, sizeBytes } of parts) {
    if (sizeBytes === 0) continue;
    yield* readBodyFile(bucket.pathOf(body), { offset: 0, end: sizeBytes });
  }
}

/** The MD5 of the parts' MD5s and their count, as S3 names such objects. */
function multipartEtag(parts: readonly UploadedPart[]): string {
  const digests = parts.map(({ md5Hex }) => Buffer.from(md5Hex, "hex"));
  const md5 = digestOf("md5", new Uint8Array(Buffer.concat(digests)));
  return `${toHex(md5)}-${parts.length}`;
}

/** The checksum of the parts' checksums, made as the ETag is. */
function compositeChecksum(
  algorithm: ChecksumAlgorithm | null,
  parts: readonly UploadedPart[],
): Checksum | null {
  if (algorithm === null) return null;
  const digests = parts.map(({ checksum }) =>
    Buffer.from(checksum?.value ?? "", "base64")
  );
  const joined = new Uint8Array(Buffer.concat(digests));
  const value = `${toBase64(digestOf(algorithm, joined))}-${parts.length}`;
  return { algorithm, value, type: "COMPOSITE" };
}

/** @throws {S3Failure} `BadDigest`, `InvalidRequest` for a wrong size. */
function verifyWhole(headers: Headers, object: StoredObject): void {
  const size = headers.get("x-amz-mp-object-size");
  if (size !== null && Number(size) !== object.sizeBytes) {
    throw new S3Failure(
      "InvalidRequest",
      "The provided 'x-amz-mp-object-size' header does not match what was computed.",
    );
  }
  const { checksum } = object;
  if (checksum?.type !== "FULL_OBJECT") return;
  const sent = headers.get(`x-amz-checksum-${checksum.algorithm}`);
  if (sent === null || sent === checksum.value) return;
  throw new S3Failure(
    "BadDigest",
    `The ${checksum.algorithm} you specified did not match the calculated checksum.`,
  );
}

function checksumElements(checksum: Checksum | null) {
  if (checksum === null) return [];
  return [
    element(`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value),
    element("ChecksumType", checksum.type),
  ];
}
