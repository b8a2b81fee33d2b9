import { errorFields } from "../../telemetry/log.ts";
import type { CallContext } from "../context.ts";
import type { BatchApi, RemoteBatch } from "../driver.ts";
import { GatewayError, isOutcomeUnknown } from "../failure.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import { type Job, jobArn, type JobPlan, type JobRequest } from "./job.ts";
import { newJobId } from "./job.ts";
import { batchApi, type JobDeps, ownCall } from "./job_deps.ts";
import { digestRequest, orderOf } from "./job_order.ts";
import { planJob } from "./job_plan.ts";
import { applyBatch } from "./job_progress.ts";
import type { TokenUse } from "./job_store.ts";
import { updateJob } from "./job_update.ts";

const CREATE_ATTEMPT_MAX = 5;

/** Bedrock's messages have this many characters at most. */
const MESSAGE_LENGTH_MAX = 2048;

/** How long a job waits after a rate limit that names no time. */
const RATE_LIMIT_WAIT_MS = 10_000;

/**
 * Starts each job exactly once: the intent is written before the provider is
 * called, and what a lost answer left open is settled from the provider's own
 * list, never by sending blindly again.
 */
export class JobSubmission {
  readonly #deps: JobDeps;

  constructor(deps: JobDeps) {
    this.#deps = deps;
  }

  /**
   * @param lookAgain Called before a repeat is told of a job whose fate is
   * open; what it learns from the provider is taken into account.
   * @throws {GatewayError} `invalid_request` and the like where the provider
   * refused: nothing remains then. After an error whose outcome is unknown the
   * job remains, and a repeat with the same token returns it.
   */
  async create(
    call: CallContext,
    provider: ProviderName,
    request: JobRequest,
    lookAgain: (job: Job) => Promise<void>,
  ): Promise<Job> {
    const batches = await batchApi(this.#deps, provider);
    const token = request.clientRequestToken;
    const requestDigest = digestRequest(provider, request);
    for (let attempt = 1; attempt <= CREATE_ATTEMPT_MAX; attempt++) {
      const used = token === null
        ? null
        : await this.#deps.store.findToken(call.principal.tenant, token);
      if (used !== null) {
        const known = await this.#repeat(used, requestDigest, lookAgain);
        if (known !== null) return known;
        continue;
      }
      const plan = await planJob(call, provider, request, this.#deps);
      const job = this.#intent(call, provider, request, plan);
      const intent = await this.#record(job, requestDigest);
      if (intent !== null) return await this.#send(batches, intent.value);
    }
    throw new GatewayError(
      { kind: "write_conflict" },
      "The job could not be recorded; try again.",
    );
  }

  /**
   * Sends a job that is known not to have reached the provider. Its ARN may be
   * in a caller's hands, so a refusal now fails the job. Does nothing where
   * someone else changed the job since `stale` was read. Rejects only where
   * the state cannot be written, never for what the provider did.
   *
   * @returns Whether the provider is to be asked for more: not after a limit.
   */
  async resend(stale: Versioned<Job>): Promise<"go_on" | "rest"> {
    const batches = await batchApi(this.#deps, stale.value.provider);
    const before = stale.value.submission;
    const attempt = "attempt" in before ? before.attempt + 1 : 1;
    const claimed = await this.#deps.store.update(stale, {
      ...stale.value,
      submission: this.#sending(attempt),
    });
    // Another replica was faster, and it sends.
    if (claimed === null) return "go_on";
    let batch: RemoteBatch;
    try {
      batch = await this.#start(batches, claimed.value);
    } catch (error) {
      const fields = { jobId: claimed.value.id, ...errorFields(error) };
      this.#deps.log.warn("job not sent again", fields);
      return await this.#takeRefusal(claimed.value, error);
    }
    await this.#bind(claimed.value, batch, batches);
    return "go_on";
  }

  async #takeRefusal(job: Job, error: unknown): Promise<"go_on" | "rest"> {
    if (isOutcomeUnknown(error) || !(error instanceof GatewayError)) {
      return "go_on";
    }
    const { failure } = error;
    switch (failure.kind) {
      case "rate_limited": {
        const waitMs = failure.retryAfterMs ?? RATE_LIMIT_WAIT_MS;
        const retryAt = new Date(this.#deps.now().getTime() + waitMs);
        const { submission } = job;
        const attempt = "attempt" in submission ? submission.attempt : 1;
        await this.#changeClaimed(job, (current) => ({
          ...current,
          submission: { state: "unsent", attempt, retryAt },
        }));
        return "rest";
      }
      case "conflict":
        // Bedrock has a job under this token, so a list will show it.
        return "go_on";
      default:
        await this.#changeClaimed(
          job,
          (current) => this.#refused(current, error.message),
        );
        return "go_on";
    }
  }

  /**
   * A retry gets the job's ARN, whatever became of the first attempt; null
   * where that was refused just now, so that the token is free again.
   */
  async #repeat(
    used: TokenUse,
    requestDigest: string,
    lookAgain: (job: Job) => Promise<void>,
  ): Promise<Job | null> {
    if (used.requestDigest !== requestDigest) {
      throw new GatewayError(
        { kind: "conflict" },
        "The clientRequestToken was used before with a different request.",
      );
    }
    const first = await this.#deps.store.get(used.jobId);
    if (first === null) return null;
    if (isOpen(first.value)) await lookAgain(first.value);
    try {
      const given = await updateJob(
        this.#deps.store,
        used.jobId,
        (job) => isOpen(job) ? { ...job, arnGiven: true } : job,
      );
      return given.value;
    } catch (error) {
      if (isNoSuchJob(error)) return null;
      throw error;
    }
  }

  /** Null: the token or the id is taken by another job. */
  async #record(
    job: Job,
    requestDigest: string,
  ): Promise<Versioned<Job> | null> {
    const { store } = this.#deps;
    const token = job.request.clientRequestToken;
    const written = await store.create(
      job,
      token === null ? null : { token, jobId: job.id, requestDigest },
    );
    // A KV client that repeats a write may find its own first attempt.
    return written ?? await store.get(job.id);
  }

  async #send(batches: BatchApi, intent: Job): Promise<Job> {
    let batch: RemoteBatch;
    try {
      batch = await this.#start(batches, intent);
    } catch (error) {
      if (isOutcomeUnknown(error)) {
        this.#deps.log.warn("job outcome unknown", {
          jobId: intent.id,
          provider: intent.provider,
        });
      } else await this.#forget(intent, error);
      throw error;
    }
    try {
      return await this.#bind(intent, batch, batches);
    } catch (cause) {
      // The batch runs, so the job must stay: a list will join the two.
      throw new GatewayError(
        { kind: "internal" },
        "The job was started but could not be recorded as such; " +
          "repeat the call with the same clientRequestToken.",
        { cause },
      );
    }
  }

  /** One attempt, over by the deadline that others go by. */
  async #start(batches: BatchApi, job: Job): Promise<RemoteBatch> {
    const { submission } = job;
    const leftMs = submission.state === "sending"
      ? submission.deadlineAt.getTime() - this.#deps.now().getTime()
      : 0;
    if (leftMs <= 0) {
      throw new GatewayError(
        { kind: "upstream_timeout" },
        "Recording the job took too long; it will be sent later.",
      );
    }
    return await batches.startBatch(ownCall(leftMs), orderOf(job));
  }

  async #bind(job: Job, batch: RemoteBatch, batches: BatchApi): Promise<Job> {
    const bound = await updateJob(
      this.#deps.store,
      job.id,
      (current) =>
        applyBatch(current, batch, batches.results, this.#deps.now()),
    );
    this.#deps.log.info("job started", {
      jobId: job.id,
      provider: job.provider,
      batchId: batch.id,
    });
    return bound.value;
  }

  /** Leaves nothing of a refused job, unless someone was told of it. */
  async #forget(intent: Job, error: unknown): Promise<void> {
    const { store } = this.#deps;
    const reason = error instanceof Error ? error.message : String(error);
    const current = await store.get(intent.id);
    if (current === null || !isClaim(current.value, intent)) return;
    const { arnGiven, stopRequested } = current.value;
    const isSecret = !arnGiven && !stopRequested;
    if (isSecret && await store.remove(current)) return;
    await this.#changeClaimed(intent, (job) => this.#refused(job, reason));
  }

  /** Changes a job only while it is still the claimant's to decide about. */
  async #changeClaimed(claim: Job, change: (job: Job) => Job): Promise<void> {
    await updateJob(
      this.#deps.store,
      claim.id,
      (current) => isClaim(current, claim) ? change(current) : current,
    );
  }

  #refused(job: Job, message: string): Job {
    const now = this.#deps.now();
    return {
      ...job,
      status: "Failed",
      submission: { state: "withdrawn" },
      message: message.slice(0, MESSAGE_LENGTH_MAX),
      modifiedAt: now,
      endedAt: now,
    };
  }

  #intent(
    call: CallContext,
    provider: ProviderName,
    request: JobRequest,
    plan: JobPlan,
  ): Job {
    const id = newJobId();
    const now = this.#deps.now();
    return {
      id,
      arn: jobArn(call.region, id),
      arnGiven: false,
      tenant: call.principal.tenant,
      provider,
      request,
      plan,
      submission: this.#sending(1),
      batchId: null,
      missingSince: null,
      outputFileIds: [],
      status: "Submitted",
      stopRequested: false,
      message: null,
      counts: null,
      tokens: null,
      result: null,
      submittedAt: now,
      modifiedAt: now,
      endedAt: null,
      expiresAt: null,
    };
  }

  #sending(attempt: number): Job["submission"] {
    const { submitTimeoutMs } = this.#deps.timing;
    const deadlineAt = new Date(this.#deps.now().getTime() + submitTimeoutMs);
    return { state: "sending", attempt, deadlineAt, missedAt: null };
  }
}

/** Whether it is still to be seen if the provider has the job's batch. */
export function isOpen({ submission: { state } }: Job): boolean {
  return state === "sending" || state === "unsent";
}

/** Whether the job is still being sent by the attempt that `claim` made. */
function isClaim(job: Job, claim: Job): boolean {
  const [now, then] = [job.submission, claim.submission];
  return now.state === "sending" && then.state === "sending" &&
    now.deadlineAt.getTime() === then.deadlineAt.getTime();
}

function isNoSuchJob(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "no_such_job";
}
