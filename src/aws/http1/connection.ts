/** Where a connection leads: a host of HTTP or HTTPS. */
export interface Origin {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * A connection that could not be made, was cut, or spoke no HTTP. The code is
 * one that the AWS SDK counts as worth another try.
 */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code = "ECONNRESET";
}

const READ_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);

/** One TCP or TLS connection, read in the pieces in which bytes arrive. */
export class Connection {
  readonly origin: Origin;
  readonly #conn: Deno.TcpConn | Deno.TlsConn;
  #unread: Uint8Array = NOTHING;
  /** A read that was begun and whose bytes nobody has taken yet. */
  #reading: Promise<Uint8Array | null> | null = null;
  #closed = false;

  constructor(origin: Origin, conn: Deno.TcpConn | Deno.TlsConn) {
    this.origin = origin;
    this.#conn = conn;
  }

  /** Rejects with ConnectionError, also when `signal` is aborted. */
  static async open(
    origin: Origin,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Connection> {
    const conn = await inTime(connect(origin), timeoutMs, signal);
    return new Connection(origin, conn);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The next bytes, at least one; null at the end. */
  async read(): Promise<Uint8Array | null> {
    if (this.#unread.length > 0) {
      const bytes = this.#unread;
      this.#unread = NOTHING;
      return bytes;
    }
    this.#reading ??= this.#receive();
    try {
      return await this.#reading;
    } finally {
      this.#reading = null;
    }
  }

  /** Gives back bytes that belong to what is read next. */
  unread(bytes: Uint8Array): void {
    this.#unread = bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    try {
      while (offset < bytes.length) {
        offset += await this.#conn.write(bytes.subarray(offset));
      }
    } catch (cause) {
      throw new ConnectionError("the connection was cut", { cause });
    }
  }

  /**
   * Watches a connection that nobody uses: whatever arrives, above all its
   * end, makes it useless. It does not keep the process alive meanwhile.
   */
  rest(onUseless: () => void): void {
    if (this.#unread.length > 0) return onUseless();
    this.#conn.unref();
    this.#reading ??= this.#receive();
    this.#reading.then(onUseless, onUseless);
  }

  /** Takes up a connection that rested. */
  wake(): void {
    this.#conn.ref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  async #receive(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      const sizeBytes = await this.#conn.read(buffer);
      return sizeBytes === null ? null : buffer.subarray(0, sizeBytes);
    } catch (cause) {
      throw new ConnectionError("the connection was cut", { cause });
    }
  }
}

async function connect(
  { secure, hostname, port }: Origin,
): Promise<Deno.TcpConn | Deno.TlsConn> {
  if (secure) {
    return await Deno.connectTls({
      hostname,
      port,
      alpnProtocols: ["http/1.1"],
    });
  }
  const conn = await Deno.connect({ hostname, port });
  // Whole pieces are written; waiting to fill packets only costs time.
  conn.setNoDelay();
  return conn;
}

/** A connection that is made too late is closed by nobody else. */
async function inTime<T extends Deno.Conn>(
  opening: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const end = (): void =>
    ended.reject(new ConnectionError("the connection took too long"));
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([opening, ended.promise]);
  } catch (cause) {
    opening.then((conn) => conn.close(), () => {});
    throw cause instanceof ConnectionError
      ? cause
      : new ConnectionError("the connection could not be made", { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
