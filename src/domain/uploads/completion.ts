import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import type { Versioned } from "../versioned.ts";
import { Attempt, type AttemptDeps } from "./attempt.ts";
import { Claim, type ClaimDeps, isClaimed } from "./claim.ts";
import { checkOrder, planDigestOf } from "./part_selection.ts";
import type { CompletedUpload, CompletionOrder, Upload } from "./upload.ts";

/** A provider that takes longer for one file has lost it. */
const ATTEMPT_MAX_MS = 6 * 60 * 60 * 1000;
/** How long a completion waits for another one of the same upload. */
const WAIT_MAX_MS = 60 * 60 * 1000;
export const WAIT_POLL_MS = 200;

export interface CompletionDeps extends AttemptDeps, ClaimDeps {
  readonly pause: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

/** Makes one file of an upload's parts, exactly one, however often it is asked. */
export class Completion {
  readonly #deps: CompletionDeps;
  /** Attempts under way, which outlive the calls that began them. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(deps: CompletionDeps) {
    this.#deps = deps;
  }

  /** @param find Rejects with `no_such_upload`; asked again after each wait. */
  async complete(
    call: CallContext,
    order: CompletionOrder,
    find: () => Promise<Versioned<Upload>>,
  ): Promise<CompletedUpload> {
    const { now, pause } = this.#deps;
    const giveUpAtMs = now().getTime() + WAIT_MAX_MS;
    for (;;) {
      const upload = await find();
      const { id, state } = upload.value;
      checkOrder(id, order.parts);
      if (state.kind === "completed") {
        if (state.planDigest === planDigestOf(order.parts)) return state.result;
        throw noSuchUpload(id);
      }
      if (isClaimed(upload.value, now())) {
        if (now().getTime() > giveUpAtMs) throw busy();
        await pause(WAIT_POLL_MS, call.signal);
        continue;
      }
      const result = await this.#attempt(call, upload, order);
      if (result !== null) return result;
    }
  }

  /** Resolves when no attempt is under way any more. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  /** Null where another request has the upload. */
  async #attempt(
    call: CallContext,
    upload: Versioned<Upload>,
    order: CompletionOrder,
  ): Promise<CompletedUpload | null> {
    const claim = await Claim.take(this.#deps, upload);
    if (claim === null) return null;
    // A client that stops waiting asks again, and then it had better be done.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooLate()), ATTEMPT_MAX_MS);
    const signal = AbortSignal.any([claim.signal, late.signal]);
    const run = new Attempt({ ...call, signal }, claim, this.#deps)
      .complete(order);
    this.#running.add(run);
    const settle = () => {
      clearTimeout(timer);
      this.#running.delete(run);
    };
    run.then(settle, settle);
    return await orAborted(run, call.signal);
  }
}

/** The answer to whoever wants an upload that another request works on. */
export function busy(): GatewayError {
  return new GatewayError(
    { kind: "conflict" },
    "The upload is being completed by another request; please try again.",
  );
}

function tooLate(): GatewayError {
  return new GatewayError(
    { kind: "upstream_timeout" },
    "The provider took too long for the file; try again.",
  );
}

export function noSuchUpload(uploadId: string): GatewayError {
  return new GatewayError(
    { kind: "no_such_upload", uploadId: uploadId.slice(0, 128) },
    "The specified multipart upload does not exist. The upload ID may be " +
      "invalid, or the upload may have been aborted or completed.",
  );
}

/** Settles as `work` does, or rejects as soon as nobody waits any more. */
async function orAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
