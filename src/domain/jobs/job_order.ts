import { createHash } from "node:crypto";
import type { BatchOrder, BedrockOrder } from "../driver.ts";
import type { ProviderName } from "../provider.ts";
import { batchMark, type Job, type JobRequest } from "./job.ts";

/** What a provider is given to start the batch of a job. */
export function orderOf(job: Job): BatchOrder {
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
export function digestRequest(
  provider: ProviderName,
  request: JobRequest,
): string {
  const fields = Object.entries({ ...request, clientRequestToken: null })
    .sort(([a], [b]) => a < b ? -1 : 1);
  return sha256Hex(JSON.stringify([provider, fields]));
}

function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
