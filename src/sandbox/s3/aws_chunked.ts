import { S3Failure } from "./failure.ts";

const LINE_BYTES_MAX = 4096;
const TRAILERS_MAX = 16;

/**
 * Takes an `aws-chunked` body apart: `<hex size>[;chunk-signature=…]\r\n`, the
 * bytes, `\r\n`, and after a chunk of size zero trailer lines up to an empty
 * one. See "Signature calculations for chunked uploads" in the S3 API
 * Reference; chunk signatures are not checked here.
 */
export class AwsChunkedBody {
  /** Lower-case names; complete once `bytes()` has ended. */
  readonly trailers = new Map<string, string>();
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** @throws {S3Failure} `IncompleteBody` where the framing is broken. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const sizeBytes = parseChunkSize(await this.#readLine());
        if (sizeBytes === 0) break;
        yield* this.#readBytes(sizeBytes);
        if (await this.#readLine() !== "") throw incompleteBody();
      }
      await this.#readTrailers();
    } finally {
      await this.#source.return?.();
    }
  }

  async #readTrailers(): Promise<void> {
    // Some clients end with "0\r\n\r\n", others with the stream itself.
    for (let count = 0; count <= TRAILERS_MAX; count++) {
      if (!await this.#hasMore()) return;
      const line = await this.#readLine();
      if (line === "") return;
      const colon = line.indexOf(":");
      if (colon < 1) throw incompleteBody();
      const name = line.slice(0, colon).trim().toLowerCase();
      this.trailers.set(name, line.slice(colon + 1).trim());
    }
    throw incompleteBody();
  }

  async *#readBytes(sizeBytes: number): AsyncGenerator<Uint8Array> {
    let missing = sizeBytes;
    while (missing > 0) {
      if (!await this.#hasMore()) throw incompleteBody();
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }

  async #readLine(): Promise<string> {
    let line = "";
    while (line.length <= LINE_BYTES_MAX) {
      if (!await this.#hasMore()) throw incompleteBody();
      const end = this.#rest.indexOf(0x0a);
      const piece = this.#rest.subarray(0, end < 0 ? undefined : end + 1);
      this.#rest = this.#rest.subarray(piece.length);
      line += new TextDecoder("latin1").decode(piece);
      if (end < 0) continue;
      if (!line.endsWith("\r\n")) throw incompleteBody();
      return line.slice(0, -2);
    }
    throw incompleteBody();
  }

  async #hasMore(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done) return false;
      this.#rest = next.value;
    }
    return true;
  }
}

function parseChunkSize(line: string): number {
  const size = /^([0-9a-fA-F]{1,12})(?:;.*)?$/.exec(line)?.[1];
  if (size === undefined) throw incompleteBody();
  return parseInt(size, 16);
}

function incompleteBody(): S3Failure {
  return new S3Failure(
    "IncompleteBody",
    "The request body terminated unexpectedly",
  );
}
