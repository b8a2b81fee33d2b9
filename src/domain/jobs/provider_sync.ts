import { errorFields } from "../../telemetry/log.ts";
import type { BatchApi, RemoteBatch } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import { ForeignBatches } from "./foreign_batches.ts";
import { batchMark, type Job } from "./job.ts";
import type { JobCollector } from "./job_collector.ts";
import { batchApi, type JobDeps, ownCall } from "./job_deps.ts";
import { applyBatch, endMissing, mustCollect } from "./job_progress.ts";
import { CLOCK_SLACK_MS, isOverdue } from "./job_settlement.ts";
import type { JobSettlement, ListReading } from "./job_settlement.ts";
import { updateJob } from "./job_update.ts";
import { markOf, nativeIdOf } from "./remote_batch.ts";

const READ_TIMEOUT_MS = 60_000;

/** An account's whole past takes hundreds of pages. */
const HISTORY_TIMEOUT_MS = 10 * 60_000;

/** Batches that one sweep reads at most. */
const BATCHES_MAX = 20_000;

/** Single reads of jobs that the list did not show, at once. */
const REFRESH_CONCURRENCY = 4;

interface Sweep {
  readonly provider: ProviderName;
  readonly batches: BatchApi;
  readonly startedAt: Date;
  /** Open jobs by native id. */
  readonly accepted: Map<string, Versioned<Job>>;
  /** Jobs without a known batch, by what theirs would bear. */
  readonly unbound: Map<string, Versioned<Job>>;
}

/**
 * Reads a provider's own list of batches into the index: progress of open
 * jobs in bulk, batches that bear the id of a job whose answer was lost, and
 * batches that were started with the provider's own tools.
 */
export class ProviderSync {
  readonly #deps: JobDeps;
  readonly #settlement: JobSettlement;
  readonly #collector: JobCollector;
  readonly #foreign: ForeignBatches;
  readonly #running = new Map<ProviderName, Promise<void>>();
  readonly #doneAtMs = new Map<ProviderName, number>();

  constructor(
    deps: JobDeps,
    settlement: JobSettlement,
    collector: JobCollector,
  ) {
    this.#deps = deps;
    this.#settlement = settlement;
    this.#collector = collector;
    this.#foreign = new ForeignBatches(deps);
  }

  /** One read serves everyone who asks within `freshMs` of its start. */
  async sync(provider: ProviderName): Promise<void> {
    const running = this.#running.get(provider);
    if (running !== undefined) return await running;
    const doneAtMs = this.#doneAtMs.get(provider) ?? -Infinity;
    const startMs = this.#deps.now().getTime();
    if (startMs - doneAtMs < this.#deps.timing.freshMs) return;
    const sweep = this.#sweep(provider)
      .then(() => {
        this.#doneAtMs.set(provider, startMs);
      })
      .finally(() => this.#running.delete(provider));
    this.#running.set(provider, sweep);
    await sweep;
  }

  /** Reads one batch and moves its job on; the job as it stands then. */
  async refresh(job: Job): Promise<Job> {
    if (job.batchId === null) return job;
    const batches = await batchApi(this.#deps, job.provider);
    const call = ownCall(READ_TIMEOUT_MS);
    try {
      const batch = await batches.getBatch(call, job.batchId);
      await this.#apply(job, batch, batches);
    } catch (error) {
      if (!isMissing(error)) throw error;
      const now = this.#deps.now();
      await updateJob(
        this.#deps.store,
        job.id,
        (current) => endMissing(current, now),
      );
    }
    return (await this.#deps.store.get(job.id))?.value ?? job;
  }

  async #sweep(provider: ProviderName): Promise<void> {
    const batches = await batchApi(this.#deps, provider);
    const sweep = await this.#open(provider, batches);
    const reading = await this.#readList(sweep);
    await this.#refreshUnseen(sweep);
    await this.#settlement.settle([...sweep.unbound.values()], reading);
  }

  async #open(provider: ProviderName, batches: BatchApi): Promise<Sweep> {
    const ids = await Array.fromAsync(this.#deps.store.listOpen(provider));
    const jobs = (await this.#deps.store.getMany(ids))
      .filter((job) => job !== null);
    const accepted = new Map<string, Versioned<Job>>();
    const unbound = new Map<string, Versioned<Job>>();
    for (const job of jobs) {
      const { batchId } = job.value;
      if (batchId !== null) accepted.set(batchId, job);
      else unbound.set(batchMark(job.value), job);
    }
    // Only now: a job that is not in the maps may have a batch in the list.
    const startedAt = this.#deps.now();
    return { provider, batches, startedAt, accepted, unbound };
  }

  async #readList(sweep: Sweep): Promise<ListReading> {
    const { provider, batches, startedAt } = sweep;
    const imported = await this.#deps.store.historyImported(provider);
    const call = ownCall(imported ? READ_TIMEOUT_MS : HISTORY_TIMEOUT_MS);
    let reachedAt: Date | null = null;
    let read = 0;
    for await (const page of batches.listBatches(call)) {
      const news = await Promise.all(
        page.map((batch) => this.#take(sweep, batch)),
      );
      read += page.length;
      for (const { createdAt } of page) {
        if (reachedAt === null || createdAt < reachedAt) reachedAt = createdAt;
      }
      if (read >= BATCHES_MAX) break;
      if (!imported || news.includes("news")) continue;
      if (this.#isRead(sweep, reachedAt)) return { startedAt, reachedAt };
    }
    if (!imported) await this.#deps.store.markHistoryImported(provider);
    return { startedAt, reachedAt: read >= BATCHES_MAX ? reachedAt : null };
  }

  /**
   * Whether no further page can matter. Batches come newest first, which not
   * every provider promises: where a job is about to be sent again for want of
   * its batch, the list is read to its end.
   */
  #isRead({ unbound, startedAt }: Sweep, reachedAt: Date | null): boolean {
    const { settleMarginMs } = this.#deps.timing;
    const reachedMs = reachedAt?.getTime() ?? Infinity;
    return [...unbound.values()].every(({ value }) =>
      !isOverdue(value, startedAt, settleMarginMs) &&
      reachedMs < value.submittedAt.getTime() - CLOCK_SLACK_MS
    );
  }

  /** Tells whether the batch was new to the index, or still moves. */
  async #take(sweep: Sweep, batch: RemoteBatch): Promise<"news" | "known"> {
    const open = sweep.accepted.get(nativeIdOf(batch));
    if (open !== undefined) {
      sweep.accepted.delete(nativeIdOf(batch));
      await this.#apply(open.value, batch, sweep.batches);
      return "news";
    }
    const bearer = sweep.unbound.get(markOf(batch));
    if (bearer !== undefined) {
      sweep.unbound.delete(markOf(batch));
      await this.#apply(bearer.value, batch, sweep.batches);
      return "news";
    }
    return await this.#foreign.take(sweep.provider, batch);
  }

  async #apply(
    job: Job,
    batch: RemoteBatch,
    batches: BatchApi,
  ): Promise<void> {
    // Nobody asked the gateway to keep a foreign batch's results.
    const results = job.tenant === null ? "in_place" : batches.results;
    const { value } = await updateJob(
      this.#deps.store,
      job.id,
      (current) => applyBatch(current, batch, results, this.#deps.now()),
    );
    if (value.endedAt !== null) return;
    if (mustCollect(batch, results)) {
      await this.#collector.finishSoon(value, batch, batches);
    } else if (value.stopRequested && batch.status !== "Stopping") {
      await this.#repeatStop(value, batches);
    }
  }

  /** A stop that a kill cut off before it reached the provider. */
  async #repeatStop(job: Job, batches: BatchApi): Promise<void> {
    if (job.batchId === null) return;
    const call = ownCall(READ_TIMEOUT_MS);
    await batches.stopBatch(call, job.batchId).catch((error) =>
      this.#deps.log.warn("stop not repeated", {
        jobId: job.id,
        ...errorFields(error),
      })
    );
  }

  /** Lists lag and are bounded; what they did not show is asked for. */
  async #refreshUnseen(sweep: Sweep): Promise<void> {
    const unseen = [...sweep.accepted.values()];
    for (let at = 0; at < unseen.length; at += REFRESH_CONCURRENCY) {
      const group = unseen.slice(at, at + REFRESH_CONCURRENCY);
      await Promise.all(
        group.map(({ value }) =>
          this.refresh(value).catch((error) =>
            this.#deps.log.warn("job not refreshed", {
              jobId: value.id,
              ...errorFields(error),
            })
          )
        ),
      );
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "no_such_job";
}
