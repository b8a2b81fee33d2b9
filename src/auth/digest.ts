import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { type Crc, createCrc32c, createCrc64Nvme } from "./crc.ts";

/** Checksums of S3's `x-amz-checksum-*` that can be computed here. */
export const DIGEST_ALGORITHMS = [
  "crc32",
  "crc32c",
  "crc64nvme",
  "sha1",
  "sha256",
  "sha512",
  "md5",
] as const;

/** Named as in `x-amz-checksum-<algorithm>`. */
export type DigestAlgorithm = typeof DIGEST_ALGORITHMS[number];

/** Bytes of each digest before it becomes base64. */
export const DIGEST_SIZE_BYTES: Readonly<Record<DigestAlgorithm, number>> = {
  crc32: 4,
  crc32c: 4,
  crc64nvme: 8,
  sha1: 20,
  sha256: 32,
  sha512: 64,
  md5: 16,
};

/** A running digest over a body that is never held whole. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /**
   * Base64 of the big-endian digest of all bytes so far. Ends the digest: it
   * may be asked for again, but nothing can be added.
   */
  base64(): string;
}

export function createDigest(algorithm: DigestAlgorithm): Digest {
  switch (algorithm) {
    case "crc32":
      return new Crc32Digest();
    case "crc32c":
      return new CrcDigest(createCrc32c());
    case "crc64nvme":
      return new CrcDigest(createCrc64Nvme());
    case "sha1":
    case "sha256":
    case "sha512":
    case "md5":
      return new HashDigest(algorithm);
  }
}

/** The algorithm of that name in any case; null where none is known. */
export function parseDigestAlgorithm(name: string): DigestAlgorithm | null {
  const lower = name.trim().toLowerCase();
  return DIGEST_ALGORITHMS.find((known) => known === lower) ?? null;
}

/** CRC32 comes from zlib, which uses the processor's own instructions. */
class Crc32Digest implements Digest {
  #crc = 0;

  update(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
  }

  base64(): string {
    const bytes = Buffer.alloc(DIGEST_SIZE_BYTES.crc32);
    bytes.writeUInt32BE(this.#crc);
    return bytes.toString("base64");
  }
}

class CrcDigest implements Digest {
  readonly #crc: Crc;

  constructor(crc: Crc) {
    this.#crc = crc;
  }

  update(bytes: Uint8Array): void {
    this.#crc.update(bytes);
  }

  base64(): string {
    return Buffer.from(this.#crc.digest()).toString("base64");
  }
}

class HashDigest implements Digest {
  readonly #hash: Hash;
  #base64: string | null = null;

  constructor(algorithm: "sha1" | "sha256" | "sha512" | "md5") {
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  base64(): string {
    this.#base64 ??= this.#hash.digest("base64");
    return this.#base64;
  }
}
