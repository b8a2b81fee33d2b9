/**
 * Where an exchange with a provider breaks off.
 *
 * - `before`: the request never reaches the provider.
 * - `accepted`: the provider has answered, and nobody hears it.
 * - `answered`: the whole answer was passed back.
 * - `unfinished`: the answer was passed back but for its last byte.
 */
export type CutPoint = "before" | "accepted" | "answered" | "unfinished";

export interface Cut {
  readonly point: CutPoint;
  /**
   * Called when the exchange has come to its point, or for `answered` when
   * the answer is there. It stays so until this resolves or the client hangs
   * up; then the connection is dropped, for `answered` with the answer.
   */
  reached(): Promise<void>;
  /** Called once an `answered` exchange has passed its answer back. */
  passed(): void;
}

/** A request as far as a cut depends on it. */
export interface ProxiedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Empty unless `inspects` asked for the body to be read. */
  readonly body: string;
}

export interface CuttingProxyOptions {
  readonly targetUrl: string;
  /** Which requests are read whole, so that `cutOf` may judge them. */
  inspects(request: ProxiedRequest): boolean;
  /** Null: the request passes untouched. */
  cutOf(request: ProxiedRequest): Cut | null;
}

const HEAD_BYTES_MAX = 64 * 1024;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/**
 * An HTTP/1.1 proxy between a gateway and a provider that breaks chosen
 * exchanges off at chosen points. Each connection carries one exchange, so
 * that closing it touches no other.
 */
export class CuttingProxy implements AsyncDisposable {
  /** With the target's own path. */
  readonly url: string;
  readonly #options: CuttingProxyOptions;
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #work = new Set<Promise<void>>();

  constructor(options: CuttingProxyOptions) {
    const target = new URL(options.targetUrl);
    this.#options = options;
    this.#target = { hostname: target.hostname, port: Number(target.port) };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const path = target.pathname.replace(/\/$/, "");
    this.url = `http://127.0.0.1:${this.#listener.addr.port}${path}`;
    this.#track(this.#accept());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) closeQuietly(connection);
    await Promise.all(this.#work);
  }

  #track(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }

  async #accept(): Promise<void> {
    // Ends where the listener is closed; its iterator swallows that.
    for await (const client of this.#listener) this.#track(this.#serve(client));
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#open.add(client);
    try {
      await this.#exchange(client);
    } catch (error) {
      if (!isConnectionEnd(error)) throw error;
    } finally {
      this.#open.delete(client);
      closeQuietly(client);
    }
  }

  async #exchange(client: Deno.TcpConn): Promise<void> {
    const head = await readHead(client);
    if (head === null) return;
    const { method, path } = head;
    if (!this.#options.inspects({ method, path, body: "" })) {
      return await this.#relay(client, head.bytes);
    }
    const bytes = await readWhole(client, head);
    const body = new TextDecoder().decode(bytes.subarray(head.lengthBytes));
    const cut = this.#options.cutOf({ method, path, body });
    if (cut === null) await this.#relay(client, bytes);
    else await this.#cut(client, bytes, cut);
  }

  async #cut(
    client: Deno.TcpConn,
    request: Uint8Array,
    cut: Cut,
  ): Promise<void> {
    const gone = untilGone(client);
    if (cut.point === "before") {
      return await Promise.race([cut.reached(), gone]);
    }
    const answer = await this.#ask(request);
    if (cut.point === "unfinished") await writeAll(client, answer.slice(0, -1));
    await Promise.race([cut.reached(), gone]);
    if (cut.point !== "answered") return;
    await writeAll(client, answer);
    cut.passed();
  }

  /** The whole answer to a request, as it came over the wire. */
  async #ask(request: Uint8Array): Promise<Uint8Array> {
    using upstream = await Deno.connect(this.#target);
    await writeAll(upstream, request);
    const chunks: Uint8Array[] = [];
    for await (const chunk of chunksOf(upstream)) chunks.push(chunk);
    return concatenate(chunks);
  }

  /** Hands on what has been read, and then everything in both directions. */
  async #relay(client: Deno.TcpConn, read: Uint8Array): Promise<void> {
    const upstream = await Deno.connect(this.#target);
    this.#open.add(upstream);
    try {
      await writeAll(upstream, read);
      const sending = pump(client, upstream).catch(() =>
        closeQuietly(upstream)
      );
      await pump(upstream, client);
      closeQuietly(client);
      await sending;
    } finally {
      this.#open.delete(upstream);
      closeQuietly(upstream);
    }
  }
}

interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** The head, told to end its connection, and what came behind it. */
  readonly bytes: Uint8Array;
  readonly lengthBytes: number;
  /** Null: the body is chunked. */
  readonly bodyBytes: number | null;
}

/** Null where the client closed without a request. */
async function readHead(client: Deno.TcpConn): Promise<RequestHead | null> {
  let bytes = new Uint8Array();
  for await (const chunk of chunksOf(client)) {
    bytes = concatenate([bytes, chunk]);
    const end = endOfHead(bytes);
    if (end !== null) return parseHead(bytes, end);
    if (bytes.length > HEAD_BYTES_MAX) break;
  }
  return null;
}

function parseHead(bytes: Uint8Array, end: number): RequestHead {
  const [first = "", ...fields] = new TextDecoder("latin1")
    .decode(bytes.subarray(0, end)).split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const kept = fields.filter((field) =>
    field !== "" && !/^(connection|keep-alive):/i.test(field)
  );
  const length = kept.map((field) => /^content-length: *(\d+)/i.exec(field))
    .find((match) => match !== null)?.[1];
  const chunked = kept.some((field) => /^transfer-encoding:/i.test(field));
  const head = new TextEncoder().encode(
    [first, ...kept, "connection: close", "", ""].join("\r\n"),
  );
  return {
    method,
    path,
    bytes: concatenate([head, bytes.subarray(end)]),
    lengthBytes: head.length,
    bodyBytes: chunked ? null : Number(length ?? 0),
  };
}

/** The request with its whole body. */
async function readWhole(
  client: Deno.TcpConn,
  head: RequestHead,
): Promise<Uint8Array> {
  let bytes = head.bytes;
  const isWhole = (): boolean =>
    head.bodyBytes === null
      ? new TextDecoder("latin1").decode(bytes.slice(-5)) === "0\r\n\r\n"
      : bytes.length - head.lengthBytes >= head.bodyBytes;
  while (!isWhole()) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const read = await client.read(chunk);
    if (read === null) throw new Deno.errors.UnexpectedEof("request cut short");
    bytes = concatenate([bytes, chunk.subarray(0, read)]);
    if (bytes.length > BODY_BYTES_MAX) {
      throw new RangeError("request too large");
    }
  }
  return bytes;
}

function endOfHead(bytes: Uint8Array): number | null {
  for (let at = 0; at + 3 < bytes.length; at++) {
    const isEnd = bytes[at] === 13 && bytes[at + 1] === 10 &&
      bytes[at + 2] === 13 && bytes[at + 3] === 10;
    if (isEnd) return at + 4;
  }
  return null;
}

/** Resolves when the peer, which has sent all it has, closes or resets. */
async function untilGone(client: Deno.TcpConn): Promise<void> {
  try {
    for await (const _surplus of chunksOf(client));
  } catch {
    // A reset connection is gone as well.
  }
}

async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  for await (const chunk of chunksOf(from)) await writeAll(to, chunk);
  await to.closeWrite();
}

async function* chunksOf(
  connection: Deno.TcpConn,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const read = await connection.read(buffer);
    if (read === null) return;
    yield buffer.slice(0, read);
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += await to.write(bytes.subarray(written));
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function isConnectionEnd(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.Interrupted;
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Already closed by the other direction.
  }
}
