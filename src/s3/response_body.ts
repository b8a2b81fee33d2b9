import type { ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";

export interface ResponseBodyOptions {
  /** What Content-Length promised; null where nothing was promised. */
  readonly sizeBytes: number | null;
  /** How long a client may leave the body unread. */
  readonly stallMs: number;
  /** Told why a body failed after its status had gone out. */
  report(error: unknown): void;
}

/**
 * Passes a body on to the client, pulled by it. A source that breaks, ends
 * early or runs long makes the stream fail, which breaks the connection: the
 * client must never take part of an object for the whole. A client that goes
 * away, or reads nothing for `stallMs`, cancels the source.
 */
export function guardResponseBody(
  source: ByteStream,
  { sizeBytes, stallMs, report }: ResponseBodyOptions,
): ByteStream {
  const reader = source.getReader();
  let sentBytes = 0;
  let stall: ReturnType<typeof setTimeout> | undefined;

  function watchClient(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): void {
    stall = setTimeout(() => {
      const error = failed(`The client read nothing for ${stallMs} ms.`);
      report(error);
      controller.error(error);
      reader.cancel(error).catch(() => {});
    }, stallMs);
  }

  /** The next chunk; null at an end that is where it was promised to be. */
  async function read(): Promise<Uint8Array | null> {
    const { done, value } = await reader.read();
    if (done && sizeBytes !== null && sentBytes !== sizeBytes) {
      throw failed(`The body ended at ${sentBytes} of ${sizeBytes} bytes.`);
    }
    if (done) return null;
    sentBytes += value.length;
    if (sizeBytes !== null && sentBytes > sizeBytes) {
      const error = failed(`The body is longer than ${sizeBytes} bytes.`);
      await reader.cancel(error).catch(() => {});
      throw error;
    }
    return value;
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stall);
      const chunk = await read().catch((error: unknown) => {
        report(error);
        throw error;
      });
      if (chunk === null) return controller.close();
      // Before the chunk goes out: a client that is gone cancels right then.
      watchClient(controller);
      controller.enqueue(chunk);
    },
    async cancel(reason) {
      clearTimeout(stall);
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function failed(message: string): GatewayError {
  return new GatewayError({ kind: "upstream_failed" }, message);
}
