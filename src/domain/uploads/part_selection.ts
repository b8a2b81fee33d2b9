import { createHash } from "node:crypto";
import { GatewayError } from "../failure.ts";
import { type OrderedPart, PART_BYTES_MIN, type UploadPart } from "./upload.ts";

/**
 * Names what a completion asks for: the same list of parts has the same
 * digest. ETags stand for the parts' contents.
 */
export function planDigestOf(parts: readonly OrderedPart[]): string {
  const hash = createHash("sha256");
  for (const { partNumber, etag } of parts) {
    hash.update(`${partNumber}:${etag}\n`);
  }
  return hash.digest("hex");
}

/**
 * The stored parts that a completion names.
 *
 * @throws {GatewayError} `invalid_part_order`, `invalid_part`,
 * `entity_too_small`; as in the S3 API Reference, CompleteMultipartUpload.
 */
export function selectParts(
  uploadId: string,
  ordered: readonly OrderedPart[],
  stored: ReadonlyMap<number, UploadPart>,
): UploadPart[] {
  checkOrder(uploadId, ordered);
  const parts = ordered.map((wanted) => {
    const part = stored.get(wanted.partNumber);
    if (part !== undefined && isSame(wanted, part)) return part;
    throw invalidPart(uploadId, wanted);
  });
  const small = parts.slice(0, -1)
    .find(({ sizeBytes }) => sizeBytes < PART_BYTES_MIN);
  if (small !== undefined) throw tooSmall(small);
  return parts;
}

/** @throws {GatewayError} `invalid_part_order`. */
export function checkOrder(
  uploadId: string,
  ordered: readonly OrderedPart[],
): void {
  let last = 0;
  for (const { partNumber } of ordered) {
    if (partNumber <= last) {
      throw new GatewayError(
        { kind: "invalid_part_order", uploadId },
        "The list of parts was not in ascending order. The parts list must " +
          "be specified in order by part number.",
      );
    }
    last = partNumber;
  }
}

/** A checksum that nobody knows of the part is taken on trust in its ETag. */
function isSame(wanted: OrderedPart, part: UploadPart): boolean {
  if (wanted.etag !== part.etag) return false;
  return Object.entries(wanted.checksums).every(([algorithm, value]) =>
    (part.checksums[algorithm] ?? value) === value
  );
}

function invalidPart(
  uploadId: string,
  { partNumber, etag }: OrderedPart,
): GatewayError {
  return new GatewayError(
    { kind: "invalid_part", uploadId, partNumber, etag: etag.slice(0, 128) },
    "One or more of the specified parts could not be found. The part may not " +
      "have been uploaded, or the specified entity tag may not match the " +
      "part's entity tag.",
  );
}

function tooSmall({ partNumber, sizeBytes }: UploadPart): GatewayError {
  return new GatewayError(
    { kind: "entity_too_small", sizeBytes, bytesMin: PART_BYTES_MIN },
    "Your proposed upload is smaller than the minimum allowed size: part " +
      `${partNumber} has ${sizeBytes} bytes.`,
  );
}
