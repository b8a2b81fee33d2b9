import { GatewayError } from "../domain/failure.ts";

/** The longest that S3 may take for its next step: a byte, or an answer. */
const SILENCE_MAX_MS = 60_000;
/** A large CopyObject keeps S3 busy before it answers. */
const ANSWER_WAIT_MAX_MS = 180_000;

/**
 * One request to S3 and its answer, from the first byte to the last. It ends
 * early when the call does, when a body fails, or when S3 falls silent; the
 * first reason is the one that everybody sees.
 */
export class Exchange {
  readonly #abort = new AbortController();
  readonly #outer: AbortSignal;
  readonly #onOuterAbort = () => this.fail(callEnded());
  #failure: GatewayError | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param outer Ends the exchange when it is aborted. */
  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#onOuterAbort();
    outer.addEventListener("abort", this.#onOuterAbort, { once: true });
  }

  /** Aborted when the exchange must end; destroys the connection. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get failure(): GatewayError | null {
    return this.#failure;
  }

  /** Ends the exchange; its connection is never used again. */
  fail(failure: GatewayError): void {
    this.#failure ??= failure;
    this.close();
    this.#abort.abort(this.#failure);
  }

  /** From now on S3 has to do something within bounds. */
  awaitProgress(): void {
    this.#arm(SILENCE_MAX_MS);
  }

  /** From now on S3 has everything and has to answer. */
  awaitAnswer(): void {
    this.#arm(ANSWER_WAIT_MAX_MS);
  }

  /** It is somebody else's turn, whose own bounds hold. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  /** The exchange is over; nothing watches it any more. */
  close(): void {
    this.rest();
    this.#outer.removeEventListener("abort", this.#onOuterAbort);
  }

  #arm(waitMs: number): void {
    this.rest();
    if (this.#failure !== null) return;
    this.#timer = setTimeout(() => this.fail(silent(waitMs)), waitMs);
  }
}

function silent(waitMs: number): GatewayError {
  return new GatewayError(
    { kind: "upstream_timeout" },
    `S3 did not react within ${waitMs / 1000} seconds.`,
  );
}

function callEnded(): GatewayError {
  return new GatewayError(
    { kind: "upstream_timeout" },
    "The call ended before S3 had answered.",
  );
}
