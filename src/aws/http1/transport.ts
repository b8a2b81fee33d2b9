import type { ByteStream } from "../../domain/bytes.ts";
import { isDelimited, readBody } from "./body.ts";
import { converse, type HttpRequest } from "./conversation.ts";
import { ConnectionPool } from "./pool.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Errors with ConnectionError; cancelling it closes the connection. */
  readonly body: ByteStream;
  /** Whether the answer came before the whole request had been sent. */
  readonly early: boolean;
}

/**
 * HTTP/1.1 over Deno's own sockets. It does three things that `fetch` and
 * node:http do not do on every supported Deno: it sends a target like
 * `/bucket/a/../b` as it stands, a stream under the Content-Length it was
 * given, and it survives a server that answers before it has read a request
 * (on Deno 2.6 node:http then ends the process).
 */
export class HttpTransport {
  readonly #pool = new ConnectionPool();

  /**
   * Sends a request once. Rejects with ConnectionError, with `signal`'s
   * reason, or with the body's error; in all cases the connection is closed,
   * so that the server never takes the request for complete.
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const connection = await this.#pool.take(request.origin, signal);
    const abort = (): void => connection.close();
    signal.addEventListener("abort", abort, { once: true });
    const over = (): void => signal.removeEventListener("abort", abort);
    try {
      signal.throwIfAborted();
      const { head, sent } = await converse(connection, request);
      const { method } = request;
      const reusable = sent === "whole" && head.keepsAlive &&
        isDelimited(method, head);
      const chunks = readBody(connection, method, head);
      const body = toStream(chunks, signal, (end) => {
        over();
        if (end === "complete" && reusable) this.#pool.give(connection);
        else connection.close();
      });
      const { status, headers } = head;
      return { status, headers, body, early: sent === "part" };
    } catch (error) {
      over();
      connection.close();
      throw signal.aborted ? signal.reason : error;
    }
  }

  close(): void {
    this.#pool.close();
  }
}

/** @param onEnd Called once, when the body is read or given up. */
function toStream(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  signal: AbortSignal,
  onEnd: (end: "complete" | "cut") => void,
): ByteStream {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        if (done !== true) return controller.enqueue(value);
        onEnd("complete");
        controller.close();
      } catch (error) {
        onEnd("cut");
        controller.error(signal.aborted ? signal.reason : error);
      }
    },
    cancel: () => onEnd("cut"),
  }, { highWaterMark: 0 });
}
