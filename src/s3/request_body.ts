import type { ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";

/** How long an unread rest is read on, so that the client sees the answer. */
const SETTLE_MS = 5_000;
const SETTLE_IDLE_MS = 1_000;
const SETTLE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * A request's body, read at most once. A client that falls silent in the
 * middle ends it with `request_timeout`, one that goes away with
 * `incomplete_body`.
 */
export class RequestBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #idleMs: number;
  /** Null where the request has none. */
  readonly stream: ByteStream | null;
  #ended = false;
  #sizeBytes = 0;

  constructor(source: ByteStream | null, idleMs: number) {
    this.#idleMs = idleMs;
    this.#reader = source?.getReader() ?? null;
    this.stream = this.#reader === null ? null : this.#open();
  }

  /** Bytes read so far, as they came over the wire. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Reads on, within bounds, to what is left of the body, and lets go of it.
   * Most clients write all of their body before they read; where the server
   * closes before that, they see a broken connection and not the answer.
   */
  async settle(): Promise<void> {
    const deadlineMs = Date.now() + SETTLE_MS;
    let leftBytes = SETTLE_BYTES_MAX;
    while (!this.#ended && leftBytes > 0 && Date.now() < deadlineMs) {
      const chunk = await this.#read(SETTLE_IDLE_MS).catch(() => null);
      if (chunk === null) break;
      leftBytes -= chunk.length;
    }
    if (!this.#ended) await this.#abandon();
  }

  #open(): ByteStream {
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunk = await this.#read(this.#idleMs);
        if (chunk === null) controller.close();
        else controller.enqueue(chunk);
      },
      // Whoever reads may stop; `settle` still owns the connection.
    }, { highWaterMark: 0 });
  }

  /** The next chunk; null at the end. Waits `waitMs` at most. */
  async #read(waitMs: number): Promise<Uint8Array | null> {
    if (this.#reader === null || this.#ended) return null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(timedOut(waitMs)), waitMs);
    });
    try {
      const result = await Promise.race([this.#reader.read(), silence]);
      if (result.done) {
        this.#ended = true;
        return null;
      }
      this.#sizeBytes += result.value.length;
      return result.value;
    } catch (error) {
      await this.#abandon();
      throw error instanceof GatewayError ? error : cutShort(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #abandon(): Promise<void> {
    this.#ended = true;
    // The connection may be gone already, which is what was wanted.
    await this.#reader?.cancel().catch(() => {});
  }
}

function timedOut(waitMs: number): GatewayError {
  return new GatewayError(
    { kind: "request_timeout" },
    "Your socket connection to the server was not read from or written to " +
      `within the timeout period: no byte came for ${waitMs / 1000} s.`,
  );
}

function cutShort(cause: unknown): GatewayError {
  return new GatewayError(
    { kind: "incomplete_body" },
    "The connection was closed before the whole body had come.",
    { cause },
  );
}
