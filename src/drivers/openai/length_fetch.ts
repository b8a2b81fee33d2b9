import { withBoundedBody } from "../http_client.ts";
import { connectionError, UpstreamError } from "../http_failure.ts";
import { readHttpAnswer } from "./http_answer.ts";

const CONNECT_TIMEOUT_MS = 30_000;
/** How long a server may take in nothing, or ponder a file it has in full. */
const STALL_TIMEOUT_MS = 120_000;
/** A server that refuses early may close before its answer has been read. */
const LAST_WORDS_TIMEOUT_MS = 1_000;

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * `fetch` for one streamed upload that announces its Content-Length (RFC 9112,
 * HTTP/1.1). The runtime's own fetch sends every stream chunked, which some
 * servers refuse, and `node:http` in Deno 2.6 never tells that a connection
 * was cut. Takes a ReadableStream as body and `content-length` among the
 * headers; where the body errors, the connection is closed and the request
 * never complete. Rejects with UpstreamError where no answer came.
 */
export async function fetchWithLength(
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  if (!(init.body instanceof ReadableStream)) {
    throw new TypeError("only a stream is sent this way");
  }
  const body: BodyReader = init.body.getReader();
  const url = new URL(input instanceof Request ? input.url : input);
  const { signal } = init;
  let connection: Deno.Conn | null = null;
  try {
    connection = await connect(url);
    const head = headOf(url, init.method ?? "POST", new Headers(init.headers));
    const response = await orAbort(
      exchange(connection, head, body),
      signal ?? null,
    );
    return withBoundedBody(response);
  } catch (error) {
    throw connectionError(error, signal ?? null);
  } finally {
    // Ends whatever still reads, writes or waits, where anything does.
    connection?.close();
    body.cancel().catch(() => {});
  }
}

async function connect(url: URL): Promise<Deno.Conn> {
  const tls = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (tls ? 443 : 80);
  const opening: Promise<Deno.Conn> = tls
    ? Deno.connectTls({ hostname, port, alpnProtocols: ["http/1.1"] })
    : Deno.connect({ hostname, port });
  try {
    return await inTime(opening, CONNECT_TIMEOUT_MS);
  } catch (error) {
    opening.then((late) => late.close()).catch(() => {});
    throw error;
  }
}

function headOf(url: URL, method: string, headers: Headers): Uint8Array {
  headers.set("host", url.host);
  headers.set("connection", "close");
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return new TextEncoder().encode(
    `${method} ${url.pathname}${url.search} HTTP/1.1\r\n` +
      `${lines.join("")}\r\n`,
  );
}

/** The answer may come before all is sent, and then ends the sending. */
async function exchange(
  connection: Deno.Conn,
  head: Uint8Array,
  body: BodyReader,
): Promise<Response> {
  const answer = readHttpAnswer(connection);
  const sending = send(connection, head, body).then(
    () => inTime(answer, STALL_TIMEOUT_MS),
    async (error) => {
      if (!(error instanceof UpstreamError)) throw error;
      return await inTime(answer, LAST_WORDS_TIMEOUT_MS).catch(() => {
        throw error;
      });
    },
  );
  return await Promise.race([answer, sending]);
}

/**
 * Writes at the pace at which the server takes it. Rejects with UpstreamError
 * where writing failed, and with the body's own error where reading it did.
 */
async function send(
  connection: Deno.Conn,
  head: Uint8Array,
  body: BodyReader,
): Promise<void> {
  await write(connection, head);
  for (;;) {
    const { done, value } = await body.read();
    if (done) return;
    await write(connection, value);
  }
}

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    const writing = connection.write(bytes.subarray(written)).catch(
      (cause: unknown) => {
        throw new UpstreamError({ kind: "connection" }, { cause });
      },
    );
    written += await inTime(writing, STALL_TIMEOUT_MS);
  }
}

async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new UpstreamError({ kind: "timeout" })),
    timeoutMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function orAbort<T>(
  work: Promise<T>,
  signal: AbortSignal | null,
): Promise<T> {
  if (signal === null) return await work;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void =>
    aborted.reject(new UpstreamError({ kind: "timeout" }));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
