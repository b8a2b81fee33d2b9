import { createHash } from "node:crypto";
import type { CallContext } from "../context.ts";
import type { BatchApi, BatchOrder, BedrockOrder } from "../driver.ts";
import { GatewayError, isOutcomeUnknown } from "../failure.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import { type Job, jobArn, type JobPlan, type JobRequest } from "./job.ts";
import { batchMark, newJobId } from "./job.ts";
import { batchApi, type JobDeps, ownCall } from "./job_deps.ts";
import { planJob } from "./job_plan.ts";
import { applyBatch } from "./job_progress.ts";
import type { TokenUse } from "./job_store.ts";
import { noSuchJob, updateJob } from "./job_update.ts";

const CREATE_ATTEMPT_MAX = 5;

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
   * @throws {GatewayError} `invalid_request` and the like where the provider
   * refused: nothing remains then. After an error whose outcome is unknown the
   * job remains, and a repeat with the same token returns it.
   */
  async create(
    call: CallContext,
    provider: ProviderName,
    request: JobRequest,
  ): Promise<Job> {
    const batches = await batchApi(this.#deps, provider);
    const token = request.clientRequestToken;
    const requestDigest = digestRequest(provider, request);
    for (let attempt = 1; attempt <= CREATE_ATTEMPT_MAX; attempt++) {
      const used = token === null
        ? null
        : await this.#deps.store.findToken(call.principal.tenant, token);
      if (used !== null) return await this.#repeat(used, requestDigest);
      const plan = await planJob(call, provider, request, this.#deps);
      const job = this.#intent(call, provider, request, plan);
      const written = await this.#deps.store.create(
        job,
        token === null ? null : { token, jobId: job.id, requestDigest },
      );
      if (written !== null) return await this.#send(batches, written);
    }
    throw new GatewayError(
      { kind: "write_conflict" },
      "The job could not be recorded; try again.",
    );
  }

  /**
   * Sends a job again that is known not to have reached the provider. Its ARN
   * may be in a caller's hands, so a refusal now fails the job.
   */
  async resend(stale: Versioned<Job>): Promise<void> {
    const deadlineAt = this.#deadline();
    const claimed = await this.#deps.store.update(stale, {
      ...stale.value,
      submission: { state: "sending", deadlineAt },
    });
    // Another replica was faster, and it sends.
    if (claimed === null) return;
    const batches = await batchApi(this.#deps, claimed.value.provider);
    try {
      await this.#start(batches, claimed.value);
    } catch (error) {
      if (isOutcomeUnknown(error)) throw error;
      if (!(error instanceof GatewayError)) throw error;
      if (error.failure.kind === "rate_limited") throw error;
      await this.#fail(claimed.value.id, error.message);
    }
  }

  /** A retry gets the job's ARN, whatever became of the first attempt. */
  async #repeat(used: TokenUse, requestDigest: string): Promise<Job> {
    if (used.requestDigest !== requestDigest) {
      throw new GatewayError(
        { kind: "conflict" },
        "The clientRequestToken was used before with a different request.",
      );
    }
    const current = await this.#deps.store.get(used.jobId);
    if (current === null) throw noSuchJob(used.jobId);
    if (current.value.submission.state === "accepted") return current.value;
    const given = await updateJob(
      this.#deps.store,
      used.jobId,
      (job) => job.arnGiven ? job : { ...job, arnGiven: true },
    );
    return given.value;
  }

  async #send(batches: BatchApi, intent: Versioned<Job>): Promise<Job> {
    try {
      return await this.#start(batches, intent.value);
    } catch (error) {
      if (!isOutcomeUnknown(error)) await this.#deps.store.remove(intent);
      else {
        this.#deps.log.warn("job outcome unknown", {
          jobId: intent.value.id,
          provider: intent.value.provider,
        });
      }
      throw error;
    }
  }

  async #start(batches: BatchApi, job: Job): Promise<Job> {
    const call = ownCall(this.#deps.timing.submitTimeoutMs);
    const batch = await batches.startBatch(call, orderOf(job));
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

  async #fail(jobId: string, message: string): Promise<void> {
    const now = this.#deps.now();
    await updateJob(this.#deps.store, jobId, (job) => ({
      ...job,
      status: "Failed",
      submission: { state: "accepted" },
      message: message.slice(0, 2048),
      modifiedAt: now,
      endedAt: now,
    }));
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
      submission: { state: "sending", deadlineAt: this.#deadline() },
      batchId: null,
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

  #deadline(): Date {
    const { submitTimeoutMs } = this.#deps.timing;
    return new Date(this.#deps.now().getTime() + submitTimeoutMs);
  }
}

function orderOf(job: Job): BatchOrder {
  return {
    jobId: job.id,
    jobName: job.request.jobName,
    modelId: job.request.modelId,
    input: job.plan.input,
    endpoint: job.plan.endpoint,
    bedrock: job.provider === "bedrock" ? bedrockOrder(job) : null,
  };
}

function bedrockOrder(job: Job): BedrockOrder {
  const { request } = job;
  return {
    clientRequestToken: batchMark(job),
    outputUri: request.outputUri,
    inputBucketOwner: request.inputBucketOwner,
    outputBucketOwner: request.outputBucketOwner,
    outputEncryptionKeyId: request.outputEncryptionKeyId,
    vpcConfig: request.vpcConfig,
    timeoutDurationInHours: request.timeoutDurationInHours,
    modelInvocationType: job.plan.modelInvocationType,
    tags: request.tags,
  };
}

/** Two requests are the same where everything but the token is. */
function digestRequest(provider: ProviderName, request: JobRequest): string {
  const fields = Object.entries({ ...request, clientRequestToken: null })
    .sort(([a], [b]) => a < b ? -1 : 1);
  return sha256Hex(JSON.stringify([provider, fields]));
}

function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
