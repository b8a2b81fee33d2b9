import { errorFields } from "../../telemetry/log.ts";
import type { BatchApi, RemoteBatch } from "../driver.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import { foreignJob } from "./foreign_job.ts";
import type { Job } from "./job.ts";
import { batchMark, deriveJobId } from "./job.ts";
import type { JobCollector } from "./job_collector.ts";
import { batchApi, type JobDeps, ownCall } from "./job_deps.ts";
import { applyBatch, mustCollect } from "./job_progress.ts";
import type { JobSubmission } from "./job_submission.ts";
import { updateJob } from "./job_update.ts";

const SYNC_TIMEOUT_MS = 60_000;

/** Batches of an account's past that one sync reads at most. */
const HISTORY_BATCHES_MAX = 20_000;

/** Clocks differ; a batch may seem older than the job it belongs to. */
const CLOCK_SLACK_MS = 5 * 60_000;

/** Native ids known to be in the index; only saves reads. */
const KNOWN_MAX = 100_000;

/** Single reads of jobs that the list did not show, at once. */
const REFRESH_CONCURRENCY = 4;

interface Sweep {
  readonly provider: ProviderName;
  readonly batches: BatchApi;
  readonly startedAt: Date;
  /** Open jobs by native id, and those still being sent by what they bear. */
  readonly accepted: Map<string, Versioned<Job>>;
  readonly sending: Map<string, Versioned<Job>>;
  /** Nothing older than this can belong to a job in `sending`. */
  readonly oldestSending: number;
}

/**
 * Reads a provider's own list of batches into the index: progress of open
 * jobs in bulk, batches that bear the id of a job whose answer was lost, and
 * batches that were started with the provider's own tools.
 */
export class ProviderSync {
  readonly #deps: JobDeps;
  readonly #submission: JobSubmission;
  readonly #collector: JobCollector;
  readonly #running = new Map<ProviderName, Promise<void>>();
  readonly #doneAtMs = new Map<ProviderName, number>();
  readonly #known = new Set<string>();

  constructor(
    deps: JobDeps,
    submission: JobSubmission,
    collector: JobCollector,
  ) {
    this.#deps = deps;
    this.#submission = submission;
    this.#collector = collector;
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
    const call = ownCall(SYNC_TIMEOUT_MS);
    const batch = await batches.getBatch(call, job.batchId);
    await this.#apply(job, batch, batches);
    return (await this.#deps.store.get(job.id))?.value ?? job;
  }

  async #sweep(provider: ProviderName): Promise<void> {
    const batches = await batchApi(this.#deps, provider);
    const sweep = await this.#open(provider, batches);
    await this.#readList(sweep);
    await this.#refreshUnseen(sweep);
    await this.#settleUnseen(sweep);
  }

  async #open(provider: ProviderName, batches: BatchApi): Promise<Sweep> {
    const ids = await Array.fromAsync(this.#deps.store.listOpen(provider));
    const jobs = (await this.#deps.store.getMany(ids))
      .filter((job) => job !== null);
    const accepted = new Map<string, Versioned<Job>>();
    const sending = new Map<string, Versioned<Job>>();
    for (const job of jobs) {
      const { batchId } = job.value;
      if (batchId !== null) accepted.set(batchId, job);
      else sending.set(batchMark(job.value), job);
    }
    const oldestSending = Math.min(
      ...[...sending.values()].map(({ value }) => value.submittedAt.getTime()),
    ) - CLOCK_SLACK_MS;
    const startedAt = this.#deps.now();
    return { provider, batches, startedAt, accepted, sending, oldestSending };
  }

  async #readList(sweep: Sweep): Promise<void> {
    const { provider, batches } = sweep;
    const imported = await this.#deps.store.historyImported(provider);
    let read = 0;
    for await (
      const page of batches.listBatches(ownCall(SYNC_TIMEOUT_MS))
    ) {
      const news = await Promise.all(
        page.map((batch) => this.#take(sweep, batch)),
      );
      read += page.length;
      if (read >= HISTORY_BATCHES_MAX) break;
      const oldest = page.at(-1)?.createdAt.getTime() ?? -Infinity;
      const mayHoldSending = sweep.sending.size > 0 &&
        oldest >= sweep.oldestSending;
      const hasNews = news.some((isNew) => isNew);
      if (imported && !hasNews && !mayHoldSending) return;
    }
    if (!imported) await this.#deps.store.markHistoryImported(provider);
  }

  /** Returns whether the batch was new to the index, or still moves. */
  async #take(sweep: Sweep, batch: RemoteBatch): Promise<boolean> {
    const nativeId = nativeIdOf(batch);
    const open = sweep.accepted.get(nativeId);
    if (open !== undefined) {
      sweep.accepted.delete(nativeId);
      await this.#apply(open.value, batch, sweep.batches);
      return true;
    }
    const bearer = sweep.sending.get(markOf(batch));
    if (bearer !== undefined) {
      sweep.sending.delete(markOf(batch));
      await this.#apply(bearer.value, batch, sweep.batches);
      return true;
    }
    return await this.#adopt(sweep, batch, nativeId);
  }

  async #adopt(
    sweep: Sweep,
    batch: RemoteBatch,
    nativeId: string,
  ): Promise<boolean> {
    const { provider } = sweep;
    const knownKey = `${provider}\0${nativeId}`;
    if (this.#known.has(knownKey)) return false;
    const { store } = this.#deps;
    const isKnown = await store.findAlias(provider, nativeId) !== null ||
      await this.#bearsKnownJob(provider, batch);
    if (!isKnown) {
      const id = await deriveJobId(provider, nativeId);
      await store.create(foreignJob(id, provider, batch), null);
    }
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(knownKey);
    return !isKnown;
  }

  /** A job just started, whose native id is not in the index yet. */
  async #bearsKnownJob(
    provider: ProviderName,
    batch: RemoteBatch,
  ): Promise<boolean> {
    const { store } = this.#deps;
    if (batch.clientRequestToken !== null) {
      const alias = await store.findAlias(provider, batch.clientRequestToken);
      if (alias !== null) return true;
    }
    return batch.jobId !== null && await store.get(batch.jobId) !== null;
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
    const call = ownCall(SYNC_TIMEOUT_MS);
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

  /** Only a list read after every lag is over proves that nothing started. */
  async #settleUnseen(sweep: Sweep): Promise<void> {
    const { settleMarginMs } = this.#deps.timing;
    for (const stale of sweep.sending.values()) {
      const { submission, stopRequested, id } = stale.value;
      if (submission.state !== "sending") continue;
      const provenAtMs = submission.deadlineAt.getTime() + settleMarginMs;
      if (sweep.startedAt.getTime() < provenAtMs) continue;
      this.#deps.log.info("job settled as not started", { jobId: id });
      if (stopRequested) await this.#endUnsent(id);
      else await this.#submission.resend(stale);
    }
  }

  async #endUnsent(jobId: string): Promise<void> {
    const now = this.#deps.now();
    await updateJob(
      this.#deps.store,
      jobId,
      (job) =>
        job.submission.state === "accepted" ? job : {
          ...job,
          status: "Stopped",
          submission: { state: "accepted" },
          endedAt: now,
          modifiedAt: now,
        },
    );
  }
}

function markOf(batch: RemoteBatch): string {
  return batch.clientRequestToken ?? batch.jobId ?? "";
}

function nativeIdOf(batch: RemoteBatch): string {
  return batch.id.slice(batch.id.lastIndexOf("/") + 1);
}
