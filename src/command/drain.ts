type Handler = (request: Request) => Promise<Response>;

/**
 * The end of a server's life: requests in flight go on, new ones are sent
 * elsewhere. `Deno.HttpServer.shutdown()` alone lets answers finish, but on
 * Deno 2.9 fails whatever still reads its request's body.
 */
export class Drain {
  readonly handle: Handler;
  #inFlight = 0;
  #begun = false;
  readonly #empty = Promise.withResolvers<void>();

  constructor(handle: Handler) {
    this.handle = (request) => this.#serve(request, handle);
  }

  /** Resolves when every request has its answer, or at least its head. */
  async begin(): Promise<void> {
    this.#begun = true;
    if (this.#inFlight > 0) await this.#empty.promise;
  }

  async #serve(request: Request, handle: Handler): Promise<Response> {
    if (this.#begun) return goElsewhere();
    this.#inFlight++;
    try {
      return await handle(request);
    } finally {
      this.#inFlight--;
      if (this.#begun && this.#inFlight === 0) this.#empty.resolve();
    }
  }
}

/** Retried by every AWS SDK, over a connection of its own. */
function goElsewhere(): Response {
  return new Response(null, {
    status: 503,
    headers: { "connection": "close", "retry-after": "1" },
  });
}
