import { Buffer } from "node:buffer";

/** A longer line is handed on as broken instead of being gathered. */
export const LINE_BYTES_MAX = 64 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const WRITE_BYTES = 1024 * 1024;
const NEWLINE = 10;

/** One line that is not blank. */
export interface JsonLine {
  /** Counted from 1, blank lines included. */
  readonly number: number;
  /** The parsed value; undefined where the line is no JSON. */
  readonly value: unknown;
  readonly sizeBytes: number;
}

/**
 * Reads a JSON-lines file piece by piece, so that its size does not matter. A
 * file removed meanwhile is read to its end, as POSIX has it.
 */
export async function* readJsonLines(path: string): AsyncGenerator<JsonLine> {
  using file = await Deno.open(path);
  const block = Buffer.alloc(READ_BYTES);
  let pieces: Buffer[] = [];
  let piecesBytes = 0;
  let number = 0;
  for (;;) {
    const lengthBytes = await file.read(block);
    const read = block.subarray(0, lengthBytes ?? 0);
    let start = 0;
    for (;;) {
      const end = read.indexOf(NEWLINE, start);
      if (end < 0) break;
      number += 1;
      pieces.push(read.subarray(start, end));
      const line = parseLine(number, pieces, piecesBytes + end - start);
      if (line !== null) yield line;
      pieces = [];
      piecesBytes = 0;
      start = end + 1;
    }
    if (lengthBytes === null) break;
    piecesBytes += read.length - start;
    // What a broken line holds is never looked at: it need not be kept.
    if (piecesBytes > LINE_BYTES_MAX) pieces = [];
    // The block is read into again, so what is left of it must be copied.
    else pieces.push(Buffer.from(read.subarray(start)));
  }
  const last = parseLine(number + 1, pieces, piecesBytes);
  if (last !== null) yield last;
}

function parseLine(
  number: number,
  pieces: readonly Buffer[],
  sizeBytes: number,
): JsonLine | null {
  if (sizeBytes > LINE_BYTES_MAX) {
    return { number, value: undefined, sizeBytes };
  }
  const [first] = pieces;
  const bytes = pieces.length === 1 && first !== undefined
    ? first
    : Buffer.concat(pieces);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.trim() === "") return null;
    return { number, value: JSON.parse(text), sizeBytes };
  } catch {
    return { number, value: undefined, sizeBytes };
  }
}

/** Writes a JSON-lines file. */
export class JsonLinesWriter {
  readonly #file: BufferedFile;

  private constructor(file: BufferedFile) {
    this.#file = file;
  }

  static async create(path: string): Promise<JsonLinesWriter> {
    const options = { write: true, create: true, truncate: true };
    return new JsonLinesWriter(
      new BufferedFile(await Deno.open(path, options)),
    );
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  async write(value: unknown): Promise<void> {
    await this.#file.write(Buffer.from(`${JSON.stringify(value)}\n`));
  }

  /** Also ends a writer whose writing failed; then throws what failed. */
  async close(): Promise<void> {
    try {
      await this.#file.flush();
    } finally {
      this.#file.close();
    }
  }
}

/**
 * Gathers small pieces into larger writes, each of which costs a round trip
 * to another thread. It keeps the pieces it is given, so they must not change.
 */
export class BufferedFile {
  readonly #file: Deno.FsFile;
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #sizeBytes = 0;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Everything given to `write` so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece);
    this.#piecesBytes += piece.length;
    this.#sizeBytes += piece.length;
    if (this.#piecesBytes >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#piecesBytes = 0;
    let written = 0;
    while (written < bytes.length) {
      written += await this.#file.write(bytes.subarray(written));
    }
  }

  close(): void {
    this.#file.close();
  }
}
