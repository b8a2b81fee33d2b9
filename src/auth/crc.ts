/** A running checksum over bytes. */
export interface Crc {
  update(bytes: Uint8Array): void;
  /** Of all bytes so far; big-endian, as S3 writes checksums. */
  digest(): Uint8Array<ArrayBuffer>;
}

/** Castagnoli's polynomial, bits reversed; RFC 3720, section 12.1. */
const CRC32C_POLYNOMIAL = 0x82f63b78;

/** CRC-64/NVME's polynomial 0xad93d23594c93659, bits reversed, in halves. */
const CRC64NVME_POLYNOMIAL = { high: 0x9a6c9329, low: 0xac4bc9b5 };

/** Bytes taken a step, each with a table of its own ("slicing by 8"). */
const SLICES = 8;
const TABLE_LENGTH = 256;

/** Entry `i` of slice `s` is at `s * 256 + i`. */
interface Crc64Tables {
  readonly high: Int32Array;
  readonly low: Int32Array;
}

// Built on first use, since most processes never see these checksums.
let crc32cTable: Int32Array | null = null;
let crc64NvmeTables: Crc64Tables | null = null;

export function createCrc32c(): Crc {
  crc32cTable ??= buildCrc32Table(CRC32C_POLYNOMIAL);
  return new SlicedCrc32(crc32cTable);
}

export function createCrc64Nvme(): Crc {
  crc64NvmeTables ??= buildCrc64Tables(CRC64NVME_POLYNOMIAL);
  return new SlicedCrc64(crc64NvmeTables);
}

class SlicedCrc32 implements Crc {
  readonly #table: Int32Array;
  #crc = -1;

  constructor(table: Int32Array) {
    this.#table = table;
  }

  update(bytes: Uint8Array): void {
    const t = this.#table;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const slicedLength = bytes.length - bytes.length % SLICES;
    let crc = this.#crc;
    for (let i = 0; i < slicedLength; i += SLICES) {
      const a = crc ^ view.getInt32(i, LITTLE_ENDIAN);
      const b = view.getInt32(i + 4, LITTLE_ENDIAN);
      crc = at(t, 1792 + (a & 255)) ^ at(t, 1536 + (a >>> 8 & 255)) ^
        at(t, 1280 + (a >>> 16 & 255)) ^ at(t, 1024 + (a >>> 24)) ^
        at(t, 768 + (b & 255)) ^ at(t, 512 + (b >>> 8 & 255)) ^
        at(t, 256 + (b >>> 16 & 255)) ^ at(t, b >>> 24);
    }
    for (let i = slicedLength; i < bytes.length; i++) {
      crc = (crc >>> 8) ^ at(t, (crc ^ view.getUint8(i)) & 255);
    }
    this.#crc = crc;
  }

  digest(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, ~this.#crc);
    return bytes;
  }
}

class SlicedCrc64 implements Crc {
  readonly #tables: Crc64Tables;
  #high = -1;
  #low = -1;

  constructor(tables: Crc64Tables) {
    this.#tables = tables;
  }

  update(bytes: Uint8Array): void {
    const { high: h, low: l } = this.#tables;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const slicedLength = bytes.length - bytes.length % SLICES;
    let high = this.#high;
    let low = this.#low;
    for (let i = 0; i < slicedLength; i += SLICES) {
      const a = low ^ view.getInt32(i, LITTLE_ENDIAN);
      const b = high ^ view.getInt32(i + 4, LITTLE_ENDIAN);
      const k0 = 1792 + (a & 255), k1 = 1536 + (a >>> 8 & 255);
      const k2 = 1280 + (a >>> 16 & 255), k3 = 1024 + (a >>> 24);
      const k4 = 768 + (b & 255), k5 = 512 + (b >>> 8 & 255);
      const k6 = 256 + (b >>> 16 & 255), k7 = b >>> 24;
      high = at(h, k0) ^ at(h, k1) ^ at(h, k2) ^ at(h, k3) ^ at(h, k4) ^
        at(h, k5) ^ at(h, k6) ^ at(h, k7);
      low = at(l, k0) ^ at(l, k1) ^ at(l, k2) ^ at(l, k3) ^ at(l, k4) ^
        at(l, k5) ^ at(l, k6) ^ at(l, k7);
    }
    for (let i = slicedLength; i < bytes.length; i++) {
      const k = (low ^ view.getUint8(i)) & 255;
      low = (low >>> 8 | high << 24) ^ at(l, k);
      high = (high >>> 8) ^ at(h, k);
    }
    this.#high = high;
    this.#low = low;
  }

  digest(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, ~this.#high);
    view.setInt32(4, ~this.#low);
    return bytes;
  }
}

const LITTLE_ENDIAN = true;

/** The index is always masked into the table, so the fallback never applies. */
function at(table: Int32Array, index: number): number {
  return table[index] ?? 0;
}

function buildCrc32Table(polynomial: number): Int32Array {
  const table = new Int32Array(SLICES * TABLE_LENGTH);
  for (let i = 0; i < TABLE_LENGTH; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? crc >>> 1 ^ polynomial : crc >>> 1;
    }
    table[i] = crc;
  }
  for (let i = TABLE_LENGTH; i < table.length; i++) {
    const previous = at(table, i - TABLE_LENGTH);
    table[i] = previous >>> 8 ^ at(table, previous & 255);
  }
  return table;
}

function buildCrc64Tables(
  polynomial: { readonly high: number; readonly low: number },
): Crc64Tables {
  const high = new Int32Array(SLICES * TABLE_LENGTH);
  const low = new Int32Array(SLICES * TABLE_LENGTH);
  for (let i = 0; i < TABLE_LENGTH; i++) {
    let h = 0;
    let l = i;
    for (let bit = 0; bit < 8; bit++) {
      const carry = l & 1;
      l = l >>> 1 | h << 31;
      h >>>= 1;
      if (carry) {
        h ^= polynomial.high;
        l ^= polynomial.low;
      }
    }
    high[i] = h;
    low[i] = l;
  }
  for (let i = TABLE_LENGTH; i < high.length; i++) {
    const h = at(high, i - TABLE_LENGTH);
    const l = at(low, i - TABLE_LENGTH);
    high[i] = h >>> 8 ^ at(high, l & 255);
    low[i] = (l >>> 8 | h << 24) ^ at(low, l & 255);
  }
  return { high, low };
}
