import type { ByteStream } from "../domain/bytes.ts";
import type { Exchange } from "./exchange.ts";
import { exchangeFailure } from "./failures.ts";

/**
 * The last part of an exchange: the answer's body, as the caller reads it.
 * Errors with GatewayError where S3 falls silent, the connection is cut or
 * the call ends; cancelling it closes the connection.
 */
export function openWatchedBody(
  body: ByteStream,
  exchange: Exchange,
): ByteStream {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        exchange.awaitProgress();
        const { done, value } = await reader.read();
        exchange.rest();
        if (!done) return controller.enqueue(value);
        exchange.close();
        controller.close();
      } catch (error) {
        exchange.fail(exchangeFailure(error));
        controller.error(exchange.failure);
      }
    },
    cancel(reason) {
      exchange.close();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
