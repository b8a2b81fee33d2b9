import type { ByteStream } from "../domain/bytes.ts";
import type { DriverCall } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import {
  connectionError,
  readErrorAnswer,
  toGatewayError,
  type Upstream,
  UpstreamError,
} from "./http_failure.ts";

/** What every HTTP client of a provider does the same: see `http_failure.ts`. */

/** A page of OpenAI's files, 10,000 of them, has about 4 MB. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** The longest silence within a body that is being read. */
const IDLE_TIMEOUT_MS = 60_000;
const ATTEMPT_MAX = 3;
const FIRST_WAIT_MS = 150;

/**
 * `fetch` for SDKs and plain requests whose answers are parsed whole: rejects
 * with UpstreamError for everything but a 2xx, and bounds the body.
 */
export async function fetchUpstream(
  input: string | URL | Request,
  init?: UpstreamInit,
): Promise<Response> {
  return withBoundedBody(await fetchUpstreamStream(input, init));
}

/** The same answer, whose body errors once it grows past what is parsed whole. */
export function withBoundedBody(response: Response): Response {
  if (response.body === null) return response;
  return new Response(
    response.body.pipeThrough(new ByteLimit(ANSWER_BYTES_MAX)),
    { status: response.status, headers: response.headers },
  );
}

/**
 * A client for `fetch` whose requests are sent once at most. Deno repeats a
 * request, a POST too, whose connection ends without an answer, where that
 * connection came out of the pool (denoland/deno, pull request 36415); what
 * starts a batch must not be repeated, so this client has no pool.
 */
export function createUnpooledClient(): Deno.HttpClient {
  return Deno.createHttpClient({ poolMaxIdlePerHost: 0, http2: false });
}

export type UpstreamInit = RequestInit & { readonly client?: Deno.HttpClient };

/** As `fetchUpstream`, for bodies of any size that the caller streams. */
export async function fetchUpstreamStream(
  input: string | URL | Request,
  init?: UpstreamInit,
): Promise<Response> {
  return await requireOk(await sendUpstream(input, init));
}

/** One exchange; whatever its status, an answer is an answer. */
export async function sendUpstream(
  input: string | URL | Request,
  init?: UpstreamInit,
): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (error) {
    throw connectionError(error, init?.signal ?? null);
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

/** Aborts with the call, or after `timeoutMs`, whichever comes first. */
export function deadline(call: DriverCall, timeoutMs: number): AbortSignal {
  return AbortSignal.any([call.signal, AbortSignal.timeout(timeoutMs)]);
}

/** Opens an answer in `timeoutMs`; its body then lasts as long as the call. */
export async function openInTime(
  call: DriverCall,
  timeoutMs: number,
  open: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const opening = new AbortController();
  const timer = setTimeout(() => opening.abort(), timeoutMs);
  try {
    return await open(AbortSignal.any([call.signal, opening.signal]));
  } finally {
    clearTimeout(timer);
  }
}

class ByteLimit extends TransformStream<Uint8Array, Uint8Array> {
  constructor(bytesMax: number) {
    let seenBytes = 0;
    super({
      transform(chunk, controller): void {
        seenBytes += chunk.byteLength;
        if (seenBytes > bytesMax) {
          throw new UpstreamError({ kind: "oversize", bytesMax });
        }
        controller.enqueue(chunk);
      },
    });
  }
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
