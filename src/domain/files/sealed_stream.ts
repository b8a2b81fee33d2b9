import type { ByteStream } from "../bytes.ts";

/**
 * The same bytes, but the stream closes only once `seal`, called when all of
 * them have been read, has resolved; it errors where that rejects.
 */
export function sealedStream(
  source: ByteStream,
  seal: () => Promise<void>,
): ByteStream {
  const reader = source.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      await seal();
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
