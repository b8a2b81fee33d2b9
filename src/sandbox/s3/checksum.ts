import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** The checksums simulated, named as in `x-amz-checksum-<name>`. */
export const CHECKSUM_ALGORITHMS = [
  "crc32",
  "crc32c",
  "sha1",
  "sha256",
] as const;

export type ChecksumAlgorithm = typeof CHECKSUM_ALGORITHMS[number];

/** What S3 keeps beside an object; `value` is base64, `-N` if composite. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string;
  readonly type: "FULL_OBJECT" | "COMPOSITE";
}

/** A digest fed piece by piece. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** May be called once, at the end. */
  digest(): Uint8Array;
}

const DIGEST_BYTES: Record<ChecksumAlgorithm, number> = {
  crc32: 4,
  crc32c: 4,
  sha1: 20,
  sha256: 32,
};

export function isChecksumAlgorithm(name: string): name is ChecksumAlgorithm {
  return CHECKSUM_ALGORITHMS.some((algorithm) => algorithm === name);
}

export function startDigest(
  algorithm: ChecksumAlgorithm | "md5",
): RunningDigest {
  switch (algorithm) {
    case "crc32":
      return new Crc(crc32);
    case "crc32c":
      return new Crc(crc32c);
    case "md5":
    case "sha1":
    case "sha256":
      return new CryptoDigest(algorithm);
  }
}

export function digestOf(
  algorithm: ChecksumAlgorithm | "md5",
  bytes: Uint8Array,
): Uint8Array {
  const running = startDigest(algorithm);
  running.update(bytes);
  return running.digest();
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The bytes of a base64 text, or null unless exactly `size` of them. */
export function fromBase64(text: string, size: number): Uint8Array | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === size && bytes.toString("base64") === text
    ? new Uint8Array(bytes)
    : null;
}

export function isChecksumValue(
  algorithm: ChecksumAlgorithm,
  value: string,
): boolean {
  return fromBase64(value, DIGEST_BYTES[algorithm]) !== null;
}

class CryptoDigest implements RunningDigest {
  readonly #hash;

  constructor(algorithm: "md5" | "sha1" | "sha256") {
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.digest());
  }
}

class Crc implements RunningDigest {
  readonly #next: (bytes: Uint8Array, value: number) => number;
  #value = 0;

  constructor(next: (bytes: Uint8Array, value: number) => number) {
    this.#next = next;
  }

  update(bytes: Uint8Array): void {
    this.#value = this.#next(bytes, this.#value);
  }

  digest(): Uint8Array {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, this.#value);
    return bytes;
  }
}

/** CRC-32C (Castagnoli), reflected polynomial 0x82F63B78; see RFC 3720. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  }
  return value;
});

function crc32c(bytes: Uint8Array, previous: number): number {
  let value = ~previous;
  for (const byte of bytes) {
    value = (value >>> 8) ^ (CRC32C_TABLE[(value ^ byte) & 0xff] ?? 0);
  }
  return ~value >>> 0;
}
