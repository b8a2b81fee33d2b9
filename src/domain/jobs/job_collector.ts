import type { BatchApi, RemoteBatch } from "../driver.ts";
import { GatewayError, isOutcomeUnknown } from "../failure.ts";
import type { Job } from "./job.ts";
import { type JobDeps, ownCall } from "./job_deps.ts";
import { finishJob } from "./job_progress.ts";
import { collectResults } from "./job_results.ts";
import { updateJob } from "./job_update.ts";

/** A results file of gigabytes on a slow line. */
const COLLECT_TIMEOUT_MS = 30 * 60_000;

/**
 * Ends jobs whose batch has ended: fetches the results, then shows the
 * terminal status. Each job is fetched by one caller at a time, on whichever
 * replica.
 */
export class JobCollector {
  readonly #deps: JobDeps;
  readonly #running = new Map<string, Promise<void>>();

  constructor(deps: JobDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves when the job shows its end, or where another replica sees to it;
   * rejects where that must wait.
   */
  finish(job: Job, batch: RemoteBatch, batches: BatchApi): Promise<void> {
    let running = this.#running.get(job.id);
    if (running === undefined) {
      running = this.#collect(job, batch, batches)
        .finally(() => this.#running.delete(job.id));
      this.#running.set(job.id, running);
    }
    return running;
  }

  /** As `finish`, for a caller that waits a moment and never fails by it. */
  async finishSoon(
    job: Job,
    batch: RemoteBatch,
    batches: BatchApi,
  ): Promise<void> {
    const { promise: timeUp, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#deps.timing.collectWaitMs);
    const finished = this.finish(job, batch, batches).catch((error) => {
      this.#deps.log.warn("results not collected yet", {
        jobId: job.id,
        error: String(error),
      });
    });
    await Promise.race([finished, timeUp]);
    clearTimeout(timer);
  }

  /** Waits for what is under way, so that nothing is cut at shutdown. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  async #collect(
    job: Job,
    batch: RemoteBatch,
    batches: BatchApi,
  ): Promise<void> {
    const lease = await this.#deps.leases.acquire(`results/${job.id}`);
    // Another replica is at it.
    if (lease === null) return;
    try {
      const current = await this.#deps.store.get(job.id);
      if (current === null || current.value.endedAt !== null) return;
      await this.#store(current.value, batch, batches);
    } finally {
      await lease.release();
    }
  }

  async #store(
    job: Job,
    batch: RemoteBatch,
    batches: BatchApi,
  ): Promise<void> {
    const { store, objects, now, log } = this.#deps;
    const source = { batches, batch };
    const call = ownCall(COLLECT_TIMEOUT_MS);
    try {
      const collected = await collectResults(call, job, source, {
        store: objects,
        now,
      });
      await updateJob(
        store,
        job.id,
        (current) =>
          current.endedAt === null
            ? finishJob(current, batch, collected, now())
            : current,
      );
      log.info("job ended", { jobId: job.id, status: batch.status });
    } catch (error) {
      if (!isLost(error)) throw error;
      await this.#finishWithout(job, batch, error.message);
    }
  }

  /** The provider no longer has the lines: the job ends and says so. */
  async #finishWithout(
    job: Job,
    batch: RemoteBatch,
    reason: string,
  ): Promise<void> {
    const now = this.#deps.now();
    await updateJob(
      this.#deps.store,
      job.id,
      (current) =>
        current.endedAt !== null ? current : {
          ...current,
          status: batch.status,
          message: `The results could not be fetched: ${reason}`.slice(0, 2048),
          endedAt: batch.endedAt ?? now,
          modifiedAt: now,
        },
    );
  }
}

/** Whether asking again could never bring the results. */
function isLost(error: unknown): error is GatewayError {
  if (!(error instanceof GatewayError) || isOutcomeUnknown(error)) return false;
  return error.failure.kind === "no_such_key" ||
    error.failure.kind === "invalid_object_state";
}
