export type ByteStream = ReadableStream<Uint8Array>;

/** A slice of an object: `lengthBytes` bytes from `offsetBytes` on. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}
