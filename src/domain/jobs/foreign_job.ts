import type { RemoteBatch } from "../driver.ts";
import { isTerminal } from "../job_status.ts";
import type { ProviderName } from "../provider.ts";
import { type Job, jobArn, jobIdentifierTail } from "./job.ts";

/** Batches outside AWS have no region; their ARNs must still be stable. */
const FOREIGN_REGION = "us-east-1";

/**
 * A batch that someone started with the provider's own tools, in the members
 * that a job must have: its own name, model and file ids.
 */
export function foreignJob(
  id: string,
  provider: ProviderName,
  batch: RemoteBatch,
): Job {
  const isArn = batch.id.startsWith("arn:");
  const nativeId = isArn ? jobIdentifierTail(batch.id) : batch.id;
  const native = batch.bedrock;
  const modifiedAt = batch.modifiedAt ?? batch.endedAt ?? batch.createdAt;
  const inputUri = native?.inputUri ??
    `s3://${provider}-files/${batch.inputFileId ?? nativeId}`;
  return {
    id,
    arn: isArn ? batch.id : jobArn(FOREIGN_REGION, id),
    arnGiven: true,
    tenant: null,
    provider,
    request: {
      jobName: batch.name ?? nativeId,
      roleArn: native?.roleArn ?? null,
      clientRequestToken: batch.clientRequestToken,
      modelId: batch.modelId ?? "unknown",
      inputUri,
      inputFormat: native?.inputFormat ?? "JSONL",
      inputBucketOwner: native?.inputBucketOwner ?? null,
      outputUri: native?.outputUri ?? `s3://${provider}-output/`,
      outputEncryptionKeyId: native?.outputEncryptionKeyId ?? null,
      outputBucketOwner: native?.outputBucketOwner ?? null,
      vpcConfig: native?.vpcConfig ?? null,
      timeoutDurationInHours: native?.timeoutDurationInHours ?? null,
      modelInvocationType: native?.modelInvocationType ?? null,
      tags: [],
    },
    plan: {
      input: native === null
        ? { kind: "file", fileId: batch.inputFileId ?? nativeId }
        : { kind: "object", s3Uri: inputUri },
      endpoint: batch.endpoint,
      modelInvocationType: native?.modelInvocationType ?? null,
    },
    submission: { state: "accepted" },
    batchId: nativeId,
    missingSince: null,
    outputFileIds: batch.outputFileIds,
    status: batch.status,
    stopRequested: false,
    message: batch.message,
    counts: batch.counts,
    tokens: null,
    result: null,
    submittedAt: batch.createdAt,
    modifiedAt,
    endedAt: isTerminal(batch.status) ? batch.endedAt ?? modifiedAt : null,
    expiresAt: batch.expiresAt,
  };
}
