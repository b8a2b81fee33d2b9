import type { ByteRange, ByteStream } from "../bytes.ts";
import { GatewayError } from "../failure.ts";

/**
 * The bytes of `range` out of a stream of the whole content, which is
 * cancelled as soon as the last of them was read. Errors with
 * `upstream_failed` where the content ends before the range does.
 */
export function cutRange(source: ByteStream, range: ByteRange): ByteStream {
  const reader = source.getReader();
  let skipBytes = range.offsetBytes;
  let restBytes = range.lengthBytes;

  /** The next piece within the range; empty where a chunk lies before it. */
  async function nextPiece(): Promise<Uint8Array> {
    const { done, value } = await reader.read();
    if (done) {
      throw new GatewayError(
        { kind: "upstream_failed" },
        `The content ended ${restBytes} bytes before the range did.`,
      );
    }
    const start = Math.min(skipBytes, value.length);
    const piece = value.subarray(start, start + restBytes);
    skipBytes -= start;
    restBytes -= piece.length;
    return piece;
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      let piece: Uint8Array = new Uint8Array();
      while (restBytes > 0 && piece.length === 0) piece = await nextPiece();
      if (piece.length > 0) controller.enqueue(piece);
      if (restBytes > 0) return;
      controller.close();
      // Only saves traffic: what the source says to it changes nothing.
      await reader.cancel("the range is complete").catch(() => {});
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
