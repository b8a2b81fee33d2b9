import { errorFields, type Log } from "../../telemetry/log.ts";
import type { CallContext } from "../context.ts";
import type { FileIndex } from "../files/file_index.ts";
import type { ObjectStore } from "../object_store.ts";
import type { Versioned } from "../versioned.ts";
import { Attempt, type AttemptDeps } from "./attempt.ts";
import { Claim, type ClaimDeps, isClaimed, sealedAttempt } from "./claim.ts";
import { OrphanWalk } from "./orphan_walk.ts";
import type { Upload } from "./upload.ts";

/** Uploads that one sweep settles, and that it gives up for their age. */
const SETTLED_MAX = 200;
const ABANDONED_MAX = 200;
/** Entries that one sweep looks at to find those. */
const SEEN_MAX = 5000;

/** No region is concerned. */
const REGION = "us-east-1";

export interface UploadSweeperDeps extends AttemptDeps, ClaimDeps {
  readonly fileIndex: Pick<FileIndex, "findById">;
  readonly store: ObjectStore | null;
  readonly uploadAgeMaxMs: number;
  readonly log: Log | null;
}

/** What one sweep did. */
export interface UploadSweepReport {
  /** Abandoned completions whose file was there. */
  completed: number;
  /** Uploads that were open for too long. */
  abandoned: number;
  /** Files at providers that nobody acknowledged. */
  deletedFiles: number;
  /** Orphans in the object store. */
  deletedObjects: number;
}

/** Clears up after processes that died and clients that went away. */
export class UploadSweeper {
  readonly #deps: UploadSweeperDeps;
  readonly #orphans: OrphanWalk | null;

  constructor(deps: UploadSweeperDeps) {
    this.#deps = deps;
    const { store } = deps;
    this.#orphans = store === null ? null : new OrphanWalk({ ...deps, store });
  }

  async sweep(now: Date): Promise<UploadSweepReport> {
    const report = {
      completed: 0,
      abandoned: 0,
      deletedFiles: 0,
      deletedObjects: 0,
    };
    await this.#settleAll(now, report);
    await this.#abandonOld(now, report);
    await this.#try("orphans", async () => {
      report.deletedObjects += await this.#orphans?.sweep(now) ?? 0;
    });
    return report;
  }

  /**
   * Ends an upload that nobody works on; false where it has changed meanwhile.
   * A file that an attempt may have made is deleted now, or when it turns up.
   */
  async abort(upload: Versioned<Upload>): Promise<boolean> {
    const { index, removal } = this.#deps;
    const next = this.#without(upload.value, { kind: "aborted" });
    if (next.strayUntil === null) {
      if (!await index.remove(upload)) return false;
    } else {
      if (await index.update(upload, next) === null) return false;
      await this.#try("strays", () => this.#removeStrays(next));
    }
    await this.#discardKept(upload.value);
    await removal.removeAll(upload.value.id);
    return true;
  }

  /** Lets an upload whose attempt is dead take parts again. */
  async reopen(upload: Versioned<Upload>): Promise<void> {
    const next = this.#without(upload.value, { kind: "open" });
    const written = await this.#deps.index.update(upload, next);
    if (written !== null) await this.#discardKept(upload.value);
  }

  /** The upload in another state; what its last attempt made is a stray. */
  #without(upload: Upload, state: Upload["state"]): Upload {
    const { now, strayMs } = this.#deps;
    const former = sealedAttempt(upload.state);
    if (former === null || former.seal.place.heldBy === "gateway") {
      return { ...upload, state };
    }
    const strayUntil = new Date(now().getTime() + strayMs);
    return { ...upload, state, strayUntil };
  }

  async #discardKept({ provider, state }: Upload): Promise<void> {
    const place = sealedAttempt(state)?.seal.place;
    if (place?.heldBy !== "gateway") return;
    const requestId = crypto.randomUUID();
    const { signal } = new AbortController();
    await this.#deps.files
      .discard({ requestId, signal }, { provider, ...place });
  }

  async #settleAll(now: Date, report: UploadSweepReport): Promise<void> {
    const { index } = this.#deps;
    let seen = 0;
    let settled = 0;
    for await (const uploadId of index.listUnsettled()) {
      if (++seen > SEEN_MAX || settled === SETTLED_MAX) break;
      await this.#try(uploadId, async () => {
        const upload = await index.get(uploadId);
        if (upload === null) return await index.forgetUnsettled(uploadId);
        if (isClaimed(upload.value, now)) return;
        settled++;
        await this.#settle(upload, now, report);
      });
    }
  }

  async #settle(
    upload: Versioned<Upload>,
    now: Date,
    report: UploadSweepReport,
  ): Promise<void> {
    const former = sealedAttempt(upload.value.state);
    if (former !== null) {
      const claim = await Claim.take(this.#deps, upload);
      if (claim === null) return;
      const call = callFor(upload.value, claim.signal);
      const attempt = new Attempt(call, claim, {
        ...this.#deps,
        now: () => now,
      });
      const result = await attempt.settle(former);
      if (result !== null) report.completed++;
      return;
    }
    if (upload.value.state.kind === "completing") {
      return await this.reopen(upload);
    }
    report.deletedFiles += await this.#clearStrays(upload, now);
  }

  /** Deletes what has turned up; after the last look there is no next one. */
  async #clearStrays(upload: Versioned<Upload>, now: Date): Promise<number> {
    const { index, strays } = this.#deps;
    const { strayUntil } = upload.value;
    const call = callFor(upload.value, new AbortController().signal);
    const marked = await strays.list(call, upload.value.provider);
    // An attempt that began since may have made what was listed.
    const again = await index.get(upload.value.id);
    if (again?.version !== upload.version) return 0;
    const removed = await strays.remove(call, upload.value, marked);
    if (strayUntil !== null && now > strayUntil) {
      await index.update(upload, { ...upload.value, strayUntil: null });
    }
    return removed;
  }

  async #removeStrays(upload: Upload): Promise<void> {
    const { strays } = this.#deps;
    const call = callFor(upload, new AbortController().signal);
    await strays.remove(call, upload, await strays.list(call, upload.provider));
  }

  async #abandonOld(now: Date, report: UploadSweepReport): Promise<void> {
    const { index, uploadAgeMaxMs } = this.#deps;
    const before = new Date(now.getTime() - uploadAgeMaxMs);
    let seen = 0;
    for await (const upload of index.listBegunBefore(before)) {
      if (++seen > SEEN_MAX || report.abandoned === ABANDONED_MAX) break;
      if (upload.value.state.kind !== "open") continue;
      await this.#try(upload.value.id, async () => {
        if (await this.abort(upload)) report.abandoned++;
      });
    }
  }

  /** One thing that cannot be cleared up now must not keep the others. */
  async #try(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#deps.log?.warn("upload sweep failed", {
        what,
        ...errorFields(error),
      });
    }
  }
}

function callFor({ tenant }: Upload, signal: AbortSignal): CallContext {
  return {
    requestId: crypto.randomUUID(),
    principal: {
      tenant,
      accessKeyId: null,
      admin: false,
      providers: null,
      defaultProvider: null,
      buckets: [],
    },
    signal,
    region: REGION,
  };
}
