import type { ByteStream } from "../domain/bytes.ts";
import type { HttpAnswer, HttpRequest, HttpTransport } from "./transport.ts";

/** `fetch`, as far as SDKs and plain requests need it. */
export type TransportFetch = (
  input: string | URL | Request,
  init?: RequestInit,
) => Promise<Response>;

/** Statuses whose answers have no body (Fetch, "null body status"). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const REDIRECTS_MAX = 3;
/** What another host may learn of a request that was redirected there. */
const HARMLESS = ["accept", "accept-encoding", "range", "user-agent"];

/**
 * A `fetch` over `transport`: one attempt, nothing decoded, no proxy. Takes a
 * URL, and a body of text, bytes, or a stream whose length the header
 * `content-length` says. A GET follows redirects, and takes no key along to
 * another host; other answers with 3xx come back as they are. Rejects as
 * `HttpTransport.send` does, and with TypeError for what it does not take.
 */
export function createTransportFetch(transport: HttpTransport): TransportFetch {
  return async (input, init = {}) => {
    const signal = init.signal ?? new AbortController().signal;
    let order = toOrder(input, init);
    const stream = init.body instanceof ReadableStream
      ? new StreamedBody(init.body)
      : null;
    try {
      for (let hop = 0;; hop++) {
        const request = toRequest(order, stream?.chunks() ?? order.body);
        const answer = await transport.send(request, signal);
        const next = redirected(order, answer);
        if (next === null || hop === REDIRECTS_MAX) return toResponse(answer);
        await answer.body.cancel();
        order = next;
      }
    } finally {
      // Whatever is left of it, nobody wants any more.
      stream?.letGo();
    }
  };
}

/** A request's body that can be let go of even while a chunk is awaited. */
class StreamedBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #dropped = false;

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (this.#dropped) throw new Error("the body was let go");
      if (done) return;
      yield value;
    }
  }

  letGo(): void {
    this.#dropped = true;
    this.#reader.cancel().catch(() => {});
  }
}

interface Order {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  /** Null also where the body is a stream. */
  readonly body: Uint8Array | null;
}

function toOrder(input: string | URL | Request, init: RequestInit): Order {
  if (input instanceof Request) throw new TypeError("give a URL instead");
  const headers = new Headers(init.headers);
  const body = toBody(init.body ?? null);
  if (body !== null) {
    headers.set("content-length", String(body.byteLength));
  } else if (
    init.body instanceof ReadableStream && !headers.has("content-length")
  ) {
    throw new TypeError("a stream's length has to be announced");
  }
  if (typeof init.body === "string" && !headers.has("content-type")) {
    headers.set("content-type", "text/plain;charset=UTF-8");
  }
  // Without it a server may answer in any encoding (RFC 9110, 12.5.3).
  headers.set("accept-encoding", "identity");
  return {
    url: new URL(input),
    method: (init.method ?? "GET").toUpperCase(),
    headers,
    body,
  };
}

function toBody(body: BodyInit | null): Uint8Array | null {
  if (body === null || body instanceof ReadableStream) return null;
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  throw new TypeError("only text, bytes and streams are sent this way");
}

function toRequest(
  { url, method, headers }: Order,
  body: HttpRequest["body"],
): HttpRequest {
  const secure = url.protocol === "https:";
  return {
    origin: {
      secure,
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || (secure ? 443 : 80),
    },
    method,
    target: url.pathname + url.search,
    headers: { host: url.host, ...Object.fromEntries(headers) },
    body,
  };
}

/** The request that a redirect asks for; null where it is not followed. */
function redirected(order: Order, answer: HttpAnswer): Order | null {
  const { location } = answer.headers;
  const follows = order.method === "GET" && REDIRECTS.has(answer.status) &&
    location !== undefined && URL.canParse(location, order.url);
  if (!follows) return null;
  const url = new URL(location, order.url);
  if (!/^https?:$/.test(url.protocol)) return null;
  if (url.origin === order.url.origin) return { ...order, url };
  const headers = new Headers(
    [...order.headers].filter(([name]) => HARMLESS.includes(name)),
  );
  return { ...order, url, headers };
}

function toResponse({ status, headers, body }: HttpAnswer): Response {
  const init = { status, headers: { ...headers } };
  return new Response(BODILESS.has(status) ? null : owned(body), init);
}

/** No chunk lies in shared memory, as its type could let one fear. */
function owned(body: ByteStream): ReadableStream<Uint8Array<ArrayBuffer>> {
  return body as ReadableStream<Uint8Array<ArrayBuffer>>;
}
