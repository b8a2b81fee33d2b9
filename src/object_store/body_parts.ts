import type { ByteStream } from "../domain/bytes.ts";
import { readBody } from "./body_reader.ts";

/** A piece of a body, as it is sent to S3 in one request. */
export interface BodyPart {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/**
 * Cuts a body of unknown length into parts of `partBytes` each, but for the
 * last one. An empty body has one empty part. Rejects like `readBody`; the
 * last part comes only after the body has closed.
 */
export async function* cutIntoParts(
  body: ByteStream,
  partBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<BodyPart, void, void> {
  let pieces: Uint8Array[] = [];
  let gatheredBytes = 0;
  for await (const chunk of readBody(body, signal)) {
    let rest = chunk;
    while (rest.length > 0) {
      if (gatheredBytes === partBytes) {
        const bytes = join(pieces, partBytes);
        pieces = [];
        gatheredBytes = 0;
        yield { bytes, last: false };
      }
      const piece = rest.subarray(0, partBytes - gatheredBytes);
      pieces.push(piece);
      gatheredBytes += piece.length;
      rest = rest.subarray(piece.length);
    }
  }
  yield { bytes: join(pieces, gatheredBytes), last: true };
}

function join(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}
