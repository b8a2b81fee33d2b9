import type { ByteStream } from "../domain/bytes.ts";

const NEWLINE = 0x0a;

/**
 * Several files of JSON lines as one stream, each opened when the one before
 * it is read to its end, and each ended by a newline even where the file is
 * not. The first is opened at once, so that its absence rejects.
 */
export async function concatenatedLines(
  sources: readonly (() => Promise<ByteStream>)[],
): Promise<ByteStream> {
  const waiting = [...sources];
  const first = waiting.shift();
  let current = first === undefined ? null : (await first()).getReader();
  let endedByNewline = true;

  async function next(): Promise<Uint8Array | null> {
    while (current !== null) {
      const { done, value } = await current.read();
      if (!done && value.byteLength === 0) continue;
      if (!done) {
        endedByNewline = value.at(-1) === NEWLINE;
        return value;
      }
      const source = waiting.shift();
      current = source === undefined ? null : (await source()).getReader();
      if (!endedByNewline) {
        endedByNewline = true;
        return new Uint8Array([NEWLINE]);
      }
    }
    return null;
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      const chunk = await next();
      if (chunk === null) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: (reason) => current?.cancel(reason),
  }, { highWaterMark: 0 });
}
