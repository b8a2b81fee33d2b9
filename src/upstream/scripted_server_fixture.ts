import type { Origin } from "./transport.ts";

/** The server's end of one connection, in the hands of a test. */
export class Peer {
  readonly #conn: Deno.TcpConn;
  #unread = "";

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** One character a byte; "" at the end or where the client is gone. */
  async read(): Promise<string> {
    if (this.#unread !== "") {
      const text = this.#unread;
      this.#unread = "";
      return text;
    }
    const buffer = new Uint8Array(64 * 1024);
    const sizeBytes = await this.#conn.read(buffer).catch(() => null);
    if (sizeBytes === null) return "";
    return Array.from(
      buffer.subarray(0, sizeBytes),
      (byte) => String.fromCharCode(byte),
    ).join("");
  }

  /** A request's head, up to its empty line. */
  async readHead(): Promise<string> {
    let text = "";
    for (;;) {
      const piece = await this.read();
      text += piece;
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#unread = text.slice(end + 4);
        return text.slice(0, end + 4);
      }
      if (piece === "") return text;
    }
  }

  /** Everything until `sizeBytes` have come or the client is gone. */
  async readBody(sizeBytes: number): Promise<string> {
    let text = "";
    while (text.length < sizeBytes) {
      const piece = await this.read();
      if (piece === "") break;
      text += piece;
    }
    return text;
  }

  async write(text: string): Promise<void> {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#conn.write(bytes.subarray(offset));
    }
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It has been closed already.
    }
  }
}

/** A TCP server that does what a script says, one run a connection. */
export class ScriptedServer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #peers: Peer[] = [];
  readonly #running: Promise<void>;
  #failure: unknown = null;

  constructor(script: (peer: Peer, index: number) => Promise<void>) {
    this.#running = this.#serve(script);
  }

  get origin(): Origin {
    return { secure: false, hostname: "127.0.0.1", port: this.port };
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get connectionCount(): number {
    return this.#peers.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const peer of this.#peers) peer.close();
    await this.#running;
    if (this.#failure !== null) throw this.#failure;
  }

  async #serve(
    script: (peer: Peer, index: number) => Promise<void>,
  ): Promise<void> {
    const scripts: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      const peer = new Peer(conn);
      const index = this.#peers.push(peer) - 1;
      scripts.push(
        script(peer, index)
          .catch((error) => {
            this.#failure ??= error;
          })
          .finally(() => peer.close()),
      );
    }
    await Promise.all(scripts);
  }
}
