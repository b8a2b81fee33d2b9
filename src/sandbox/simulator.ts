import { Faults, pause, routeOf } from "./faults.ts";

/** A provider's API on a loopback port. */
export interface Simulator {
  /** What a client is given as its base URL. */
  readonly url: string;
  /** Cuts every connection, ends all work and leaves no timer behind. */
  close(): Promise<void>;
}

export interface SimulatorOptions {
  /** 0 or absent: any free one, always on 127.0.0.1. */
  readonly port?: number;
  /** Where file bytes rest; absent: a temporary folder, removed at close. */
  readonly dataDir?: string;
  /** How long each stage of a batch lasts; default 1000. */
  readonly paceMs?: number;
  /** A new batch shows up in lists only this long after creation; default 0. */
  readonly listDelayMs?: number;
}

const PACE_MS_DEFAULT = 1000;
const COPY_BYTES = 64 * 1024;

/**
 * Serves `handler` on 127.0.0.1, with the control routes of `Faults` beside
 * it. `route` names a request in the count of calls; by default it is the path
 * with ids replaced.
 *
 * `Deno.serve` cannot drop a connection without an answer, as a dying server
 * does. So clients talk to a relay in front of it: the handler's peer is the
 * relay's inner connection, whose port tells which client to cut.
 */
export function serveSimulator(
  options: SimulatorOptions,
  handler: (request: Request) => Promise<Response>,
  route: (request: Request) => string = routeOf,
): Promise<Simulator> {
  const closing = new AbortController();
  const faults = new Faults(handler, route, closing.signal);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request, info) => {
      const answer = await faults.handle(request);
      if (answer !== "cut") return withoutCompression(answer);
      relay.cut(info.remoteAddr.port);
      return new Response(null, { status: 503 });
    },
  );
  let relay: Relay;
  try {
    relay = new Relay(options.port ?? 0, server.addr.port);
  } catch (cause) {
    return server.shutdown().then(() => Promise.reject(cause));
  }
  return Promise.resolve({
    url: `http://127.0.0.1:${relay.port}`,
    async close(): Promise<void> {
      closing.abort();
      await relay.close();
      await server.shutdown();
    },
  });
}

/**
 * Deno before 2.9 compresses answers by itself where a client accepts gzip,
 * and so loses their Content-Length; providers' file downloads keep theirs.
 */
function withoutCompression(response: Response): Response {
  if (response.headers.has("cache-control")) return response;
  const headers = new Headers(response.headers);
  headers.set("cache-control", "no-transform");
  return new Response(response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}

/** Hands bytes on between clients and the inner server. */
class Relay {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #innerPort: number;
  /** Open pairs by the port by which the inner server knows them. */
  readonly #pairs = new Map<number, RelayPair>();
  readonly #work = new Set<Promise<void>>();

  constructor(port: number, innerPort: number) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#innerPort = innerPort;
    this.port = this.#listener.addr.port;
    this.#track(this.#accept());
  }

  cut(innerClientPort: number): void {
    this.#pairs.get(innerClientPort)?.close();
  }

  async close(): Promise<void> {
    closeQuietly(this.#listener);
    for (const pair of this.#pairs.values()) pair.close();
    await Promise.all(this.#work);
  }

  #track(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }

  async #accept(): Promise<void> {
    // Ends where the listener is closed; its iterator swallows that.
    for await (const client of this.#listener) {
      this.#track(this.#serve(client));
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    let inner: Deno.TcpConn;
    try {
      inner = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.#innerPort,
      });
    } catch {
      closeQuietly(client);
      return;
    }
    const pair = new RelayPair(client, inner);
    this.#pairs.set(inner.localAddr.port, pair);
    await pair.run();
    this.#pairs.delete(inner.localAddr.port);
  }
}

class RelayPair {
  readonly #client: Deno.TcpConn;
  readonly #inner: Deno.TcpConn;

  constructor(client: Deno.TcpConn, inner: Deno.TcpConn) {
    this.#client = client;
    this.#inner = inner;
    // Small answers must not wait for the peer's delayed acknowledgement.
    client.setNoDelay();
    inner.setNoDelay();
  }

  /** Either end's close or failure ends both. */
  async run(): Promise<void> {
    await Promise.all([
      copy(this.#client, this.#inner).catch(() => this.close()),
      copy(this.#inner, this.#client).catch(() => {}).then(() => this.close()),
    ]);
  }

  close(): void {
    closeQuietly(this.#client);
    closeQuietly(this.#inner);
  }
}

/** A client that has sent all it has may still read: only one half closes. */
async function copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(COPY_BYTES);
  for (;;) {
    const lengthBytes = await from.read(buffer);
    if (lengthBytes === null) break;
    let written = 0;
    while (written < lengthBytes) {
      written += await to.write(buffer.subarray(written, lengthBytes));
    }
  }
  await to.closeWrite();
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // Already closed by the other direction.
  }
}

export const LETTERS = "abcdefghijklmnopqrstuvwxyz";
export const DIGITS = "0123456789";

/** A random text such as providers make their ids of. */
export function randomId(length: number, alphabet: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
}

/** Where a simulator's file bytes rest, under names that it chooses. */
export class DataFolder {
  readonly #path: string;
  readonly #atClose: "keep" | "remove";

  private constructor(path: string, atClose: "keep" | "remove") {
    this.#path = path;
    this.#atClose = atClose;
  }

  /** Without a path: a temporary folder, removed by `close`. */
  static async open(path?: string): Promise<DataFolder> {
    if (path === undefined) {
      const own = await Deno.makeTempDir({ prefix: "finops-sandbox-" });
      return new DataFolder(own, "remove");
    }
    await Deno.mkdir(path, { recursive: true });
    return new DataFolder(path, "keep");
  }

  pathOf(name: string): string {
    return `${this.#path}/${name}`;
  }

  create(name: string): Promise<Deno.FsFile> {
    const options = { write: true, create: true, truncate: true };
    return Deno.open(this.pathOf(name), options);
  }

  /** Removes what may not be there. */
  async remove(name: string): Promise<void> {
    try {
      await Deno.remove(this.pathOf(name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#atClose === "keep") return;
    await Deno.remove(this.#path, { recursive: true });
  }
}

/** Rejections of `Pace.stage` once its simulator closes. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
}

/** The background work of a simulator's batches, and how fast it goes. */
export class Pace {
  readonly stageMs: number;
  readonly #closing = new AbortController();
  readonly #work = new Set<Promise<void>>();

  constructor(stageMs: number = PACE_MS_DEFAULT) {
    this.stageMs = stageMs;
  }

  /** Runs `work` beside the requests; it must catch its own errors. */
  start(work: () => Promise<void>): void {
    const running = work().catch((error: unknown) => {
      if (!(error instanceof ClosedError)) throw error;
    }).finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  /**
   * Lasts as long as one stage of a batch, or a share of it.
   *
   * @throws {ClosedError} once the simulator closes.
   */
  async stage(share = 1): Promise<void> {
    const { signal } = this.#closing;
    await pause(this.stageMs * share, signal);
    if (signal.aborted) throw new ClosedError();
  }

  /** Ends every wait, and resolves when all work has ended. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#work);
  }
}
