import type { Socket } from "node:net";
import { Agent, type buildConnector, type Dispatcher } from "undici";
import type { ByteStream } from "../domain/bytes.ts";
import { Connection, type Origin } from "./connection.ts";

export type { Origin } from "./connection.ts";

export interface HttpRequest {
  readonly origin: Origin;
  readonly method: string;
  /** Path and query to the letter, percent-encoded. */
  readonly target: string;
  /** Among them `host`, and `content-length` where there is a body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Exactly as many bytes as `content-length` says. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; values hold one character a byte. */
  readonly headers: Readonly<Record<string, string>>;
  /** Errors with ConnectionError; cancelling it closes the connection. */
  readonly body: ByteStream;
  /** Whether the answer came before the whole request had been sent. */
  readonly early: boolean;
}

/**
 * A connection that could not be made, was cut, or spoke no HTTP. The code is
 * one that the AWS SDK counts as worth another try.
 */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code = "ECONNRESET";
}

/** Below the idle time after which load balancers drop connections. */
const KEEP_ALIVE_MS = 30_000;

/**
 * HTTP/1.1 to providers. Unlike Deno's `fetch` and node:http it sends a target
 * such as `/bucket/a/../b` as it stands, streams under a given Content-Length,
 * never repeats a request by itself, and hears a server that answers before it
 * has read everything, also one that hangs up then. Time limits are the
 * callers', through the signal.
 */
export class HttpTransport {
  readonly #agent = new Agent({
    connect,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
  });

  /**
   * Sends a request once. Rejects with ConnectionError, with `signal`'s
   * reason, with the body's error, or with TypeError for what is no HTTP; the
   * connection is closed then, so that no server takes the request for whole.
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    checkHeaders(request.headers);
    const upload = new Upload(request.body);
    try {
      const answer = await this.#agent.request({
        origin: formatOrigin(request.origin),
        path: request.target,
        method: request.method as Dispatcher.HttpMethod,
        headers: { ...request.headers },
        // undici would close the connection after every HEAD.
        ...(request.method === "HEAD" ? { reset: false } : {}),
        body: upload.body as NonNullable<Dispatcher.DispatchOptions["body"]>,
        signal,
      });
      upload.answered = true;
      const early = !upload.complete;
      return {
        status: answer.statusCode,
        headers: readHeaders(answer.headers),
        body: hasBody(request.method, answer.statusCode)
          ? toStream(answer.body, signal)
          : await toNothing(answer.body),
        early,
      };
    } catch (error) {
      throw failureOf(error, signal, upload.failure);
    }
  }

  /** Cuts whatever is under way. */
  close(): void {
    this.#agent.destroy().catch(() => {});
  }
}

/** Gives undici its connections. */
function connect(
  options: buildConnector.Options,
  callback: buildConnector.Callback,
): void {
  const { protocol, hostname, port } = options;
  const secure = protocol === "https:";
  Connection.open({
    secure,
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port) || (secure ? 443 : 80),
  }).then(
    // Of a Socket undici uses what every Duplex has, and `ref` and `unref`.
    (connection) => callback(null, connection as unknown as Socket),
    (error) => callback(error, null),
  );
}

/** A request's body, and what became of it. */
class Upload {
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
  /** The body's own error, whatever the connection made of it. */
  failure: { readonly error: unknown } | null = null;
  complete = false;
  /** From now on a body that ends badly must not cut the answer short. */
  answered = false;

  constructor(body: HttpRequest["body"]) {
    this.complete = body === null || body instanceof Uint8Array;
    this.body = body === null || body instanceof Uint8Array
      ? body
      : this.#watch(body);
  }

  async *#watch(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    try {
      yield* body;
      this.complete = true;
    } catch (error) {
      this.failure = { error };
      // undici closes the connection once it has the whole answer.
      if (this.answered) await new Promise(() => {});
      throw error;
    }
  }
}

function formatOrigin({ secure, hostname, port }: Origin): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${secure ? "https" : "http"}://${host}:${port}`;
}

/** Beyond Latin-1 nothing can be sent, and nobody should guess an encoding. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    // deno-lint-ignore no-control-regex
    if (!/^[\x00-\xff]*$/.test(value)) {
      throw new TypeError(`the header ${name} is beyond Latin-1`);
    }
  }
}

/** undici reads values as UTF-8; one character a byte is what HTTP has. */
function readHeaders(
  headers: Dispatcher.ResponseData["headers"],
): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => {
    const text = Array.isArray(value) ? value.join(", ") : value ?? "";
    return [name.toLowerCase(), toByteString(text)];
  });
  return Object.fromEntries(pairs);
}

function toByteString(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function hasBody(method: string, status: number): boolean {
  return method !== "HEAD" && status !== 204 && status !== 304;
}

/**
 * Such answers may bear the length of what they do not send, which undici
 * takes for an error. Its end frees the connection for the next request.
 */
async function toNothing(
  body: Dispatcher.ResponseData["body"],
): Promise<ByteStream> {
  body.on("error", () => {});
  await new Promise((resolve) => body.once("close", resolve).resume());
  return new Blob([]).stream();
}

function toStream(
  body: Dispatcher.ResponseData["body"],
  signal: AbortSignal,
): ByteStream {
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  // The iterator tells of errors; unheard events would end the process.
  body.on("error", () => {});
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(failureOf(error, signal, null));
      }
    },
    cancel() {
      body.destroy();
    },
  }, { highWaterMark: 0 });
}

function failureOf(
  error: unknown,
  signal: AbortSignal,
  upload: { readonly error: unknown } | null,
): unknown {
  if (upload !== null) return upload.error;
  if (signal.aborted) return signal.reason;
  if (error instanceof Error && MISTAKES.has(codeOf(error))) {
    return new TypeError(error.message, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ConnectionError(message, { cause: error });
}

/** What the caller got wrong, before anything was sent. */
const MISTAKES: ReadonlySet<string> = new Set(["UND_ERR_INVALID_ARG"]);

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : "";
}
