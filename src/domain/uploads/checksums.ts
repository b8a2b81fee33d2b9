import { Buffer } from "node:buffer";
import type { ByteStream } from "../bytes.ts";

/** Of S3's `x-amz-checksum-*`, those that can be computed here. */
export type ChecksumAlgorithm =
  | "crc32"
  | "crc32c"
  | "crc64nvme"
  | "sha1"
  | "sha256"
  | "sha512"
  | "md5";

/** A checksum over bytes as they pass; base64 of its big-endian value. */
export interface RunningChecksum {
  update(bytes: Uint8Array): void;
  base64(): string;
}

export type ChecksumFactory = (algorithm: ChecksumAlgorithm) => RunningChecksum;

/**
 * What CreateMultipartUpload chose (S3 User Guide, "Checking object
 * integrity"): a checksum over the parts' checksums, or over all the bytes.
 */
export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
}

export type ChecksumType = "COMPOSITE" | "FULL_OBJECT";

/** The same stream; every byte of it is added to each of `sums` first. */
export function summed(
  source: ByteStream,
  sums: readonly RunningChecksum[],
): ByteStream {
  const reader = source.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      for (const sum of sums) sum.update(value);
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** The checksum of the parts' checksums and, as S3 writes it, their count. */
export function compositeChecksum(
  values: readonly string[],
  sum: RunningChecksum,
): string {
  for (const value of values) sum.update(Buffer.from(value, "base64"));
  return `${sum.base64()}-${values.length}`;
}

export function toHex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}
