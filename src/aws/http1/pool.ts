import { Connection, type Origin } from "./connection.ts";

const CONNECT_TIMEOUT_MS = 5_000;
/** Servers close connections that rest; AWS after some 20 seconds. */
const REST_MAX_MS = 10_000;
/** Beyond that many resting connections, those that are done are closed. */
const RESTING_MAX = 128;

interface Resting {
  readonly connection: Connection;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Connections that have answered a request and wait for the next. */
export class ConnectionPool {
  readonly #resting: Resting[] = [];
  #closed = false;

  /** The connection used last, as the likeliest to be alive, or a new one. */
  async take(origin: Origin, signal: AbortSignal): Promise<Connection> {
    const index = this.#resting.findLastIndex(({ connection }) =>
      isSameOrigin(connection.origin, origin)
    );
    const connection = this.#remove(index);
    if (connection === null) {
      return await Connection.open(origin, CONNECT_TIMEOUT_MS, signal);
    }
    connection.wake();
    return connection;
  }

  /** Keeps a connection whose last answer has been read to its end. */
  give(connection: Connection): void {
    if (this.#closed || this.#resting.length >= RESTING_MAX) {
      connection.close();
      return;
    }
    const timer = setTimeout(() => this.#drop(connection), REST_MAX_MS);
    Deno.unrefTimer(timer);
    this.#resting.push({ connection, timer });
    connection.rest(() => this.#drop(connection));
  }

  close(): void {
    this.#closed = true;
    while (this.#resting.length > 0) this.#remove(0)?.close();
  }

  /** Does nothing to a connection that has been taken meanwhile. */
  #drop(connection: Connection): void {
    const index = this.#resting.findIndex((resting) =>
      resting.connection === connection
    );
    this.#remove(index)?.close();
  }

  #remove(index: number): Connection | null {
    const [resting] = index < 0 ? [] : this.#resting.splice(index, 1);
    if (resting === undefined) return null;
    clearTimeout(resting.timer);
    return resting.connection;
  }
}

function isSameOrigin(one: Origin, other: Origin): boolean {
  return one.secure === other.secure && one.hostname === other.hostname &&
    one.port === other.port;
}
