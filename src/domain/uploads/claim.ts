import { GatewayError } from "../failure.ts";
import type { NamedFile } from "../files/file_index.ts";
import type { NamedBefore } from "../files/file_writer.ts";
import type { Versioned } from "../versioned.ts";
import type { CompletedUpload, Seal, Upload, UploadState } from "./upload.ts";
import { randomLetters } from "./upload_id.ts";
import type { UploadIndex } from "./upload_index.ts";

export interface ClaimDeps {
  readonly index: UploadIndex;
  readonly now: () => Date;
  /** How long an attempt that gives no sign of life keeps its upload. */
  readonly claimMs: number;
  /** How long after an attempt its file may still turn up. */
  readonly strayMs: number;
}

type Completing = UploadState & { readonly kind: "completing" };

/** An attempt that may have made a file. */
export interface SealedAttempt {
  readonly seal: Seal;
  /** When it was, or would have been, taken for dead. */
  readonly deadlineAt: Date;
}

/** Signs of life within the time that a claim lasts without one. */
const HEARTBEATS = 4;

/** Whether somebody is at work on the upload. */
export function isClaimed({ state }: Upload, now: Date): boolean {
  return state.kind === "completing" && state.deadlineAt > now;
}

/**
 * The right to complete one upload, which one attempt at a time has. Every
 * change of state goes through it, so that an attempt that was taken for dead
 * changes nothing any more.
 */
export class Claim {
  readonly #deps: ClaimDeps;
  readonly #claimId: string;
  readonly #ended = new AbortController();
  readonly #heartbeat: ReturnType<typeof setInterval>;
  /** The attempt before, which ended nobody knows how; null: none did. */
  readonly former: SealedAttempt | null;
  #current: Versioned<Upload>;
  #turn: Promise<unknown> = Promise.resolve();
  #sealed = false;
  #released = false;

  /** Null where the upload is not at that version any more. */
  static async take(
    deps: ClaimDeps,
    upload: Versioned<Upload>,
  ): Promise<Claim | null> {
    const { state } = upload.value;
    const claimId = randomLetters(16);
    const former = sealedAttempt(state);
    const next: Completing = {
      kind: "completing",
      claimId,
      deadlineAt: deadline(deps),
      seal: former?.seal ?? null,
    };
    const taken = await deps.index
      .update(upload, { ...upload.value, state: next });
    if (taken === null) return null;
    return new Claim(deps, taken, { claimId, former });
  }

  private constructor(
    deps: ClaimDeps,
    current: Versioned<Upload>,
    facts: { claimId: string; former: SealedAttempt | null },
  ) {
    this.#deps = deps;
    this.#current = current;
    this.#claimId = facts.claimId;
    this.former = facts.former;
    this.#heartbeat = setInterval(() => {
      // A store that cannot be reached now may be by the next time.
      this.#change((upload) => upload).catch(() => {});
    }, deps.claimMs / HEARTBEATS);
  }

  get upload(): Upload {
    return this.#current.value;
  }

  /** Whether the upload is another attempt's by now. */
  get lost(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Aborted when the claim is lost. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether this attempt may have made a file. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Rejects where the claim is lost, and then no file may appear. */
  async seal(seal: Seal): Promise<void> {
    // The file of an attempt before this one may be on its way.
    const strays = this.former === null ? {} : this.#strays();
    await this.#change((upload) => ({
      ...upload,
      ...strays,
      state: { ...this.#completing(), seal },
    }));
    this.#sealed = true;
  }

  /** Ends the upload; null where the key names another file than `before`. */
  async finish(
    file: NamedFile,
    before: NamedBefore,
    end: { readonly planDigest: string; readonly result: CompletedUpload },
  ): Promise<string | null> {
    return await this.#inTurn(async () => {
      const next = {
        ...this.upload,
        state: { kind: "completed", ...end },
      } as const;
      const written = await this.#deps.index
        .complete(this.#current, next, file, before);
      if (written.kind === "upload_changed") throw this.#lose();
      if (written.kind === "target_changed") return null;
      clearInterval(this.#heartbeat);
      return written.version;
    });
  }

  /**
   * Gives the upload back. After `nothing` it is as if this attempt had never
   * been; after `unknown` its file may be there, and the next attempt looks
   * for it; after `leftover` there may be a file that nobody wants.
   */
  async release(outcome: "nothing" | "unknown" | "leftover"): Promise<void> {
    clearInterval(this.#heartbeat);
    if (this.lost || this.#released) return;
    this.#released = true;
    const strays = outcome === "leftover" ? this.#strays() : {};
    const state = this.#stateAfter(outcome);
    // Where it cannot be written, the claim ends by itself.
    await this.#change((upload) => ({ ...upload, ...strays, state }))
      .catch(() => {});
  }

  #stateAfter(outcome: "nothing" | "unknown" | "leftover"): UploadState {
    const completing = this.#completing();
    if (outcome === "leftover") return { kind: "open" };
    if (this.#sealed) {
      return outcome === "unknown"
        ? { ...completing, deadlineAt: this.#deps.now() }
        : { kind: "open" };
    }
    return this.former === null
      ? { kind: "open" }
      : { ...completing, ...this.former };
  }

  #strays(): Pick<Upload, "strayUntil"> {
    const { now, strayMs } = this.#deps;
    return { strayUntil: new Date(now().getTime() + strayMs) };
  }

  #completing(): Completing {
    const { state } = this.upload;
    const seal = state.kind === "completing" ? state.seal : null;
    return {
      kind: "completing",
      claimId: this.#claimId,
      deadlineAt: deadline(this.#deps),
      seal,
    };
  }

  #change(next: (upload: Upload) => Upload): Promise<void> {
    return this.#inTurn(async () => {
      const alive = { ...this.upload, state: this.#completing() };
      const written = await this.#deps.index.update(this.#current, next(alive));
      if (written === null) throw this.#lose();
      this.#current = written;
    });
  }

  /** One write at a time, since each names the version of the one before. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => {
      if (this.lost) throw claimLost();
      return write();
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #lose(): GatewayError {
    clearInterval(this.#heartbeat);
    this.#ended.abort(claimLost());
    return claimLost();
  }
}

/** Null where no attempt can have made a file. */
export function sealedAttempt(state: UploadState): SealedAttempt | null {
  if (state.kind !== "completing" || state.seal === null) return null;
  return { seal: state.seal, deadlineAt: state.deadlineAt };
}

function deadline({ now, claimMs }: ClaimDeps): Date {
  return new Date(now().getTime() + claimMs);
}

function claimLost(): GatewayError {
  return new GatewayError(
    { kind: "conflict" },
    "The upload is being completed by another request; please try again.",
  );
}
