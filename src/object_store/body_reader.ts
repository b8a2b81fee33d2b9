import type { ByteStream } from "../domain/bytes.ts";
import { abortFailure, toBodyFailure } from "./store_failure.ts";

/**
 * Reads a body to its end. Rejects with GatewayError where the body errors or
 * `signal` is aborted; lets go of the body in any case.
 */
export async function* readBody(
  body: ByteStream,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  // A read that waits for a client ends at once, too.
  const abort = (): void => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      throwIfAborted(signal);
      const { done, value } = await reader.read();
      throwIfAborted(signal);
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    throw toBodyFailure(error);
  } finally {
    signal?.removeEventListener("abort", abort);
    abort();
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortFailure(signal);
}
