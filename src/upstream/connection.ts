import { lookup } from "node:dns";
import { Duplex } from "node:stream";

/** Where a connection leads: a host of HTTP or HTTPS. */
export interface Origin {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const READ_BYTES = 64 * 1024;

/**
 * A connection over Deno's own sockets. With node:net's a failed write ends
 * everything at once; here the server's last words are still read. A server
 * that refuses an upload answers, closes, and leaves the rest unread, so that
 * the answer and the failed write arrive together.
 */
export class Connection extends Duplex {
  readonly #conn: Deno.TcpConn | Deno.TlsConn;

  private constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    super();
    this.#conn = conn;
  }

  /** Rejects where no connection was made in time. */
  static async open(origin: Origin): Promise<Connection> {
    const { secure, hostname, port } = origin;
    const conn = await connectToAny(await addressesOf(hostname), port);
    return new Connection(secure ? await encrypt(conn, hostname) : conn);
  }

  ref(): void {
    this.#conn.ref();
  }

  unref(): void {
    this.#conn.unref();
  }

  override _read(): void {
    const buffer = new Uint8Array(READ_BYTES);
    this.#conn.read(buffer).then(
      (sizeBytes) => {
        this.push(sizeBytes === null ? null : buffer.subarray(0, sizeBytes));
      },
      (error) => this.destroy(error),
    );
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    done: (error?: Error) => void,
  ): void {
    // What fails is never done: reading tells how the connection ended.
    this.#writeAll(bytes).then(() => done(), () => {});
  }

  override _destroy(
    error: Error | null,
    done: (error: Error | null) => void,
  ): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed already.
    }
    done(error);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#conn.write(bytes.subarray(offset));
    }
  }
}

/** The system's own order: first what it can reach best. */
function addressesOf(hostname: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, found) => {
      if (error === null) resolve(found.map(({ address }) => address));
      else reject(error);
    });
  });
}

/**
 * Connects to the first address that answers: `localhost` may stand for two,
 * and a server listen on one.
 */
export async function connectToAny(
  addresses: readonly string[],
  port: number,
): Promise<Deno.TcpConn> {
  const timeoutMs = CONNECT_TIMEOUT_MS / addresses.length;
  let failure: unknown = new Error("the name has no address");
  for (const hostname of addresses) {
    const opening = Deno.connect({ hostname, port });
    try {
      const conn = await inTime(opening, timeoutMs);
      // Whole pieces are written; waiting to fill packets only costs time.
      conn.setNoDelay();
      return conn;
    } catch (error) {
      failure = error;
      // One that is made too late is closed by nobody else.
      opening.then((conn) => conn.close(), () => {});
    }
  }
  throw failure;
}

async function encrypt(
  conn: Deno.TcpConn,
  hostname: string,
): Promise<Deno.TlsConn> {
  const alpnProtocols = ["http/1.1"];
  const tlsConn = await Deno.startTls(conn, { hostname, alpnProtocols });
  try {
    await inTime(tlsConn.handshake(), CONNECT_TIMEOUT_MS);
    return tlsConn;
  } catch (error) {
    tlsConn.close();
    throw error;
  }
}

async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error("no connection was made in time")),
    timeoutMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
