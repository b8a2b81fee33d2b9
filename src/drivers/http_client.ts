import type { ByteStream } from "../domain/bytes.ts";
import type { DriverCall } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import { HttpTransport } from "../upstream/transport.ts";
import {
  createTransportFetch,
  type TransportFetch,
} from "../upstream/transport_fetch.ts";
import {
  connectionError,
  toGatewayError,
  type Upstream,
  UpstreamError,
} from "./http_failure.ts";
import { readErrorAnswer } from "./upstream_answer.ts";

/** What every HTTP client of a provider does the same: see `http_failure.ts`. */

/** A page of OpenAI's files, 10,000 of them, has about 4 MB. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** The longest silence within a body that is being read. */
const IDLE_TIMEOUT_MS = 60_000;
const ATTEMPT_MAX = 3;
const FIRST_WAIT_MS = 150;

/** The same answer, whose body errors once it grows past what is parsed whole. */
export function withBoundedBody(response: Response): Response {
  if (response.body === null) return response;
  return new Response(boundedStream(response.body, ANSWER_BYTES_MAX), {
    status: response.status,
    headers: response.headers,
  });
}

/** One provider's connections, as the functions that SDKs take for `fetch`. */
export class UpstreamConnection {
  readonly #transport = new HttpTransport();
  readonly #fetch = createTransportFetch(this.#transport);

  /** One exchange; whatever its status, an answer is an answer. */
  readonly exchange: TransportFetch = async (input, init) => {
    try {
      return await this.#fetch(input, init);
    } catch (error) {
      throw connectionError(error, init?.signal ?? null);
    }
  };

  /**
   * For bodies of any size that the caller streams: rejects with
   * UpstreamError for everything but a 2xx.
   */
  readonly fetchStream: TransportFetch = async (input, init) =>
    await requireOk(await this.exchange(input, init));

  /** As `fetchStream`, for answers that are parsed whole, and so bounded. */
  readonly fetch: TransportFetch = async (input, init) =>
    withBoundedBody(await this.fetchStream(input, init));

  /** Cuts whatever is under way. */
  close(): void {
    this.#transport.close();
  }
}

/** The answer itself where its status is a 2xx; else an UpstreamError. */
export async function requireOk(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw new UpstreamError({
    kind: "answer",
    answer: await readErrorAnswer(response),
  });
}

/**
 * Runs `work` under a signal that aborts with the call, or after `timeoutMs`.
 * A Response that `work` resolves to may be read for as long as the call lasts.
 */
export async function withDeadline<T>(
  call: DriverCall,
  timeoutMs: number,
  work: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    return await work(AbortSignal.any([call.signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function boundedStream(body: ByteStream, bytesMax: number): ByteStream {
  const reader = body.getReader();
  let seenBytes = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      const { done, value } = await reader.read();
      seenBytes += value?.byteLength ?? 0;
      if (seenBytes > bytesMax) {
        const error = new UpstreamError({ kind: "oversize", bytesMax });
        reader.cancel(error).catch(() => {});
        throw error;
      }
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/**
 * Repeats a call that only reads, or whose effect is the same done twice,
 * where the provider could not be reached or failed. A rate limit is left to
 * the caller, who is told how long to wait.
 */
export async function withRetries<T>(
  call: DriverCall,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (error) {
      const again = attempt < ATTEMPT_MAX && !call.signal.aborted &&
        error instanceof GatewayError &&
        (error.failure.kind === "upstream_unavailable" ||
          error.failure.kind === "upstream_failed");
      if (!again) throw error;
      await pause(call.signal, FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }
}

/** Waits between half of `waitMs` and all of it, or until the call ends. */
export function pause(signal: AbortSignal, waitMs: number): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, waitMs * (0.5 + Math.random() / 2));
    signal.addEventListener("abort", finish, { once: true });
  });
}

/**
 * A provider's body as a stream that never ends short in silence: it errors
 * with GatewayError where the connection is cut, fewer bytes come than the
 * answer's Content-Length says, nothing comes for a minute, or the call ends.
 */
export function checkedBody(
  response: Response,
  call: DriverCall,
  upstream: Upstream,
): ByteStream {
  if (response.body === null) return new Blob([]).stream();
  const reader = response.body.getReader();
  const expectedBytes = readContentLength(response.headers);
  let seenBytes = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      try {
        const { done, value } = await readInTime(reader, call.signal);
        if (!done) {
          seenBytes += value.byteLength;
          controller.enqueue(value);
        } else if (expectedBytes !== null && seenBytes !== expectedBytes) {
          throw new UpstreamError({ kind: "connection" });
        } else {
          controller.close();
        }
      } catch (error) {
        const late = error instanceof UpstreamError
          ? error
          : connectionError(error, call.signal);
        reader.cancel(late).catch(() => {});
        controller.error(toGatewayError(upstream, late, { kind: "internal" }));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** Null where the length says nothing about the decoded bytes. */
function readContentLength(headers: Headers): number | null {
  const text = headers.get("content-length");
  if (text === null || headers.has("content-encoding")) return null;
  return /^\d+$/.test(text) ? Number(text) : null;
}

async function readInTime(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(new UpstreamError({ kind: "timeout" }));
  const timer = setTimeout(end, IDLE_TIMEOUT_MS);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([reader.read(), ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
