import { errorFields } from "../../telemetry/log.ts";
import type { CallContext } from "../context.ts";
import type { Tag } from "../driver.ts";
import { GatewayError, isOutcomeUnknown } from "../failure.ts";
import { isTerminal } from "../job_status.ts";
import type { ProviderName } from "../provider.ts";
import type { Job, JobRequest } from "./job.ts";
import { JobCollector } from "./job_collector.ts";
import { batchApi, type JobDeps, ownCall } from "./job_deps.ts";
import { type JobPage, type JobQuery, listJobs } from "./job_listing.ts";
import { findJob } from "./job_lookup.ts";
import { JobSettlement } from "./job_settlement.ts";
import { isOpen, JobSubmission } from "./job_submission.ts";
import { updateJob } from "./job_update.ts";
import { ProviderSync } from "./provider_sync.ts";

const STOP_TIMEOUT_MS = 30_000;
const ARN_POLL_MS = 200;

/** A job names 50 tags at most, as AWS's resources do. */
export const TAGS_MAX = 50;

/** How a caller names a job, and the provider of the call if it is unknown. */
export interface JobReference {
  readonly identifier: string;
  fallback(): ProviderName;
}

/** Batch jobs as Bedrock's control plane shows them, on every provider. */
export class JobService {
  readonly #deps: JobDeps & { readonly sync: ProviderSync };
  readonly #submission: JobSubmission;
  readonly #collector: JobCollector;
  readonly #refreshing = new Map<string, Promise<void>>();
  readonly #refreshedAtMs = new Map<string, number>();

  constructor(deps: JobDeps) {
    this.#submission = new JobSubmission(deps);
    this.#collector = new JobCollector(deps);
    const settlement = new JobSettlement(deps, this.#submission);
    const sync = new ProviderSync(deps, settlement, this.#collector);
    this.#deps = { ...deps, sync };
  }

  /** See `JobSubmission.create`. */
  create(
    call: CallContext,
    provider: ProviderName,
    request: JobRequest,
  ): Promise<Job> {
    return this.#submission.create(
      call,
      provider,
      request,
      (job) => this.#awaitArn(job),
    );
  }

  /** The job as the provider sees it, at most `freshMs` old. */
  async get(call: CallContext, reference: JobReference): Promise<Job> {
    const job = await this.#find(call, reference);
    if (isTerminal(job.status)) return job;
    try {
      await this.#refresh(job);
    } catch (error) {
      if (!isOutcomeUnknown(error) && !isRateLimit(error)) throw error;
      // What is known is better than an error; the next poll asks again.
      this.#deps.log.warn("job shown without news", {
        jobId: job.id,
        ...errorFields(error),
      });
    }
    return (await this.#deps.store.get(job.id))?.value ?? job;
  }

  /**
   * Asks the provider to stop the job; it shows `Stopping` at once.
   *
   * @throws {GatewayError} `conflict` where it has already ended.
   */
  async stop(call: CallContext, reference: JobReference): Promise<void> {
    const found = await this.#find(call, reference);
    if (isTerminal(found.status)) throw alreadyEnded(found);
    const { value: job } = await updateJob(
      this.#deps.store,
      found.id,
      (current) =>
        isTerminal(current.status) || current.stopRequested ? current : {
          ...current,
          stopRequested: true,
          status: "Stopping",
          modifiedAt: this.#deps.now(),
        },
    );
    if (isTerminal(job.status)) throw alreadyEnded(job);
    // A job that is still being sent is stopped as soon as it is known.
    if (job.batchId === null) return;
    const batches = await batchApi(this.#deps, job.provider);
    try {
      await batches.stopBatch(ownCall(STOP_TIMEOUT_MS), job.batchId);
    } catch (error) {
      if (isConflict(error)) await this.#deps.sync.refresh(job);
      throw error;
    }
    this.#refreshedAtMs.delete(job.id);
  }

  list(
    call: CallContext,
    provider: ProviderName,
    query: JobQuery,
  ): Promise<JobPage> {
    return listJobs(call, provider, query, this.#deps);
  }

  async tags(
    call: CallContext,
    reference: JobReference,
  ): Promise<readonly Tag[]> {
    return (await this.#find(call, reference)).request.tags;
  }

  /** Adds tags; a key that is there gets the new value. */
  async tag(
    call: CallContext,
    reference: JobReference,
    tags: readonly Tag[],
  ): Promise<void> {
    const added = new Set(tags.map(({ key }) => key));
    await this.#retag(call, reference, (before) => [
      ...before.filter(({ key }) => !added.has(key)),
      ...tags,
    ]);
  }

  /** Removes tags; an absent key is no error. */
  async untag(
    call: CallContext,
    reference: JobReference,
    keys: readonly string[],
  ): Promise<void> {
    await this.#retag(
      call,
      reference,
      (before) => before.filter(({ key }) => !keys.includes(key)),
    );
  }

  /** Moves every open job of one provider on; see `ProviderSync.sync`. */
  reconcile(provider: ProviderName): Promise<void> {
    return this.#deps.sync.sync(provider);
  }

  /** Waits for results that are being stored. */
  drain(): Promise<void> {
    return this.#collector.drain();
  }

  async #find(call: CallContext, reference: JobReference): Promise<Job> {
    const { identifier, fallback } = reference;
    return (await findJob(call, identifier, fallback, this.#deps)).value;
  }

  async #retag(
    call: CallContext,
    reference: JobReference,
    change: (before: readonly Tag[]) => readonly Tag[],
  ): Promise<void> {
    const job = await this.#find(call, reference);
    await updateJob(this.#deps.store, job.id, (current) => {
      const tags = change(current.request.tags);
      if (tags.length > TAGS_MAX) {
        throw new GatewayError(
          { kind: "too_many_tags", resource: job.arn },
          `A job has at most ${TAGS_MAX} tags; this would make ${tags.length}.`,
        );
      }
      return { ...current, request: { ...current.request, tags } };
    });
  }

  /**
   * Where results lie in a folder that the provider names after its own id, a
   * caller is better off with the provider's ARN: a batch that was started, or
   * is about to be, shows up in its list within seconds.
   */
  async #awaitArn(job: Job): Promise<void> {
    const batches = await batchApi(this.#deps, job.provider);
    if (batches.results !== "in_place" || job.arnGiven) return;
    const endMs = performance.now() + this.#deps.timing.arnWaitMs;
    while (performance.now() < endMs) {
      await this.#deps.sync.sync(job.provider).catch(() => {});
      const current = (await this.#deps.store.get(job.id))?.value;
      if (current === undefined || current.arnGiven) return;
      if (!isOpen(current)) return;
      await new Promise((resolve) => setTimeout(resolve, ARN_POLL_MS));
    }
  }

  /** Many pollers of one job cause one read of the provider a second. */
  async #refresh(job: Job): Promise<void> {
    const running = this.#refreshing.get(job.id);
    if (running !== undefined) return await running;
    const nowMs = this.#deps.now().getTime();
    const refreshedAtMs = this.#refreshedAtMs.get(job.id) ?? -Infinity;
    if (nowMs - refreshedAtMs < this.#deps.timing.freshMs) return;
    const refresh = this.#readProvider(job).finally(() => {
      this.#refreshing.delete(job.id);
      this.#remember(job.id, nowMs);
    });
    this.#refreshing.set(job.id, refresh);
    await refresh;
  }

  async #readProvider(job: Job): Promise<void> {
    if (job.batchId === null) await this.#deps.sync.sync(job.provider);
    else await this.#deps.sync.refresh(job);
  }

  #remember(jobId: string, nowMs: number): void {
    // Only saves upstream reads, so forgetting everything is harmless.
    if (this.#refreshedAtMs.size > 10_000) this.#refreshedAtMs.clear();
    this.#refreshedAtMs.set(jobId, nowMs);
  }
}

function alreadyEnded(job: Job): GatewayError {
  return new GatewayError(
    { kind: "conflict" },
    `The job has already ended with the status ${job.status}.`,
  );
}

function isConflict(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "conflict";
}

function isRateLimit(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "rate_limited";
}
