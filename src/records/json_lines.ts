import type { ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";

/** Longer than any record a provider takes; a bound on memory, not a promise. */
export const LINE_BYTES_MAX = 64 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Cuts bytes into lines as they arrive, without their newlines and without
 * empty lines. Holds at most one unfinished line.
 */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #lineNumber = 1;

  constructor(lineBytesMax: number = LINE_BYTES_MAX) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** @throws {GatewayError} `invalid_request` for a line over the bound. */
  *push(chunk: Uint8Array): Iterable<Uint8Array> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      this.#hold(chunk.subarray(start, end < 0 ? undefined : end));
      if (end < 0) return;
      yield* this.end();
      this.#lineNumber++;
      start = end + 1;
    }
  }

  /** The last line, where it was not ended by a newline. */
  *end(): Iterable<Uint8Array> {
    if (this.#heldBytes === 0) return;
    const line = joined(this.#held, this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    yield line;
  }

  #hold(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#heldBytes += piece.length;
    if (this.#heldBytes > this.#lineBytesMax) {
      throw new GatewayError(
        { kind: "invalid_request" },
        `Line ${this.#lineNumber} is longer than ${this.#lineBytesMax} bytes.`,
      );
    }
    this.#held.push(piece);
  }
}

/** The lines of a stream; see `LineSplitter`. */
export async function* readLines(
  stream: ByteStream,
  lineBytesMax: number = LINE_BYTES_MAX,
): AsyncIterable<Uint8Array> {
  const splitter = new LineSplitter(lineBytesMax);
  for await (const chunk of stream) yield* splitter.push(chunk);
  yield* splitter.end();
}

function joined(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const line = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const piece of pieces) {
    line.set(piece, offset);
    offset += piece.length;
  }
  return line;
}
