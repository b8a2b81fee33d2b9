import type { RemoteBatch } from "../driver.ts";
import type { ProviderName } from "../provider.ts";
import { foreignJob } from "./foreign_job.ts";
import { deriveJobId, type Job } from "./job.ts";
import type { JobDeps } from "./job_deps.ts";
import { nativeIdOf } from "./remote_batch.ts";

/** Native ids known to be in the index; only saves reads. */
const KNOWN_MAX = 100_000;

/** Batches that no open job of the gateway's own is waiting for. */
export class ForeignBatches {
  readonly #deps: Pick<JobDeps, "store" | "log">;
  readonly #known = new Set<string>();

  constructor(deps: Pick<JobDeps, "store" | "log">) {
    this.#deps = deps;
  }

  /** Takes a batch into the index unless it is there, or soon will be. */
  async take(
    provider: ProviderName,
    batch: RemoteBatch,
  ): Promise<"news" | "known"> {
    const nativeId = nativeIdOf(batch);
    const knownKey = `${provider}\0${nativeId}`;
    if (this.#known.has(knownKey)) return "known";
    const { store } = this.#deps;
    const alias = await store.findAlias(provider, nativeId);
    if (alias === null) {
      const bearer = await this.#bearer(provider, batch);
      // A job just started, whose native id is not in the index yet.
      if (bearer !== null && awaits(bearer, nativeId)) return "known";
      if (bearer !== null) this.#reportExtra(bearer, provider, nativeId);
      const id = await deriveJobId(provider, nativeId);
      const job = foreignJob(id, provider, batch);
      // Null: it was bound or adopted a moment ago.
      if (await store.create(job, null) === null) return "known";
    }
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(knownKey);
    return alias === null ? "news" : "known";
  }

  /** The job of the gateway's own that this batch was started for. */
  async #bearer(
    provider: ProviderName,
    batch: RemoteBatch,
  ): Promise<Job | null> {
    const { store } = this.#deps;
    const jobId = batch.clientRequestToken === null
      ? batch.jobId
      : await store.findAlias(provider, batch.clientRequestToken);
    if (jobId === null) return null;
    const job = (await store.get(jobId))?.value ?? null;
    return job?.provider === provider ? job : null;
  }

  /** It is shown rather than hidden: somebody pays for it. */
  #reportExtra(job: Job, provider: ProviderName, batchId: string): void {
    this.#deps.log.error("a batch came to light too late for its job", {
      jobId: job.id,
      provider,
      batchId,
    });
  }
}

/** Whether the job has, or may still come to have, this very batch. */
function awaits(job: Job, nativeId: string): boolean {
  const { state } = job.submission;
  return job.batchId === nativeId || state === "sending" || state === "unsent";
}
