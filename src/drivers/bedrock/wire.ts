import type {
  FoundationModelSummary,
  GetModelInvocationJobResponse,
  ModelInvocationJobSummary,
} from "@aws-sdk/client-bedrock";
import type {
  FoundationModel,
  RecordCounts,
  RemoteBatch,
  RemoteBedrockJob,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { JOB_STATUSES, type JobStatus } from "../../domain/job_status.ts";

/** Get and List return the same members; see the botocore model of bedrock. */
type WireJob = GetModelInvocationJobResponse | ModelInvocationJobSummary;

/**
 * Reads a job. A server that leaves out what the model requires is told apart
 * from one that has nothing to say.
 *
 * @throws {GatewayError} `upstream_failed` without an ARN or a submit time.
 */
export function toRemoteBatch(job: WireJob): RemoteBatch {
  const { jobArn, submitTime } = job;
  if (jobArn === undefined || submitTime === undefined) {
    throw new GatewayError(
      { kind: "upstream_failed" },
      "Amazon Bedrock described a job without an ARN or a submit time.",
    );
  }
  return {
    id: jobArn,
    status: toJobStatus(job.status),
    counts: toCounts(job),
    jobId: null,
    clientRequestToken: job.clientRequestToken ?? null,
    name: job.jobName ?? null,
    modelId: job.modelId ?? null,
    endpoint: null,
    inputFileId: null,
    outputFileIds: [],
    createdAt: submitTime,
    modifiedAt: job.lastModifiedTime ?? null,
    endedAt: job.endTime ?? null,
    expiresAt: job.jobExpirationTime ?? null,
    message: job.message ?? null,
    bedrock: toBedrockJob(job),
  };
}

/** A status that is not known yet says at least that the job has not ended. */
function toJobStatus(status: string | undefined): JobStatus {
  return JOB_STATUSES.find((known) => known === status) ?? "InProgress";
}

/** Null until Bedrock has counted the records, which validation does. */
function toCounts(job: WireJob): RecordCounts | null {
  const { totalRecordCount: total } = job;
  if (total === undefined) return null;
  const succeeded = job.successRecordCount ?? 0;
  const failed = job.errorRecordCount ?? 0;
  const processed = job.processedRecordCount ?? succeeded + failed;
  return { total, processed, succeeded, failed };
}

function toBedrockJob(job: WireJob): RemoteBedrockJob {
  const input = job.inputDataConfig?.s3InputDataConfig;
  const output = job.outputDataConfig?.s3OutputDataConfig;
  const { subnetIds, securityGroupIds } = job.vpcConfig ?? {};
  return {
    roleArn: job.roleArn ?? "",
    inputUri: input?.s3Uri ?? "",
    inputFormat: input?.s3InputFormat ?? null,
    inputBucketOwner: input?.s3BucketOwner ?? null,
    outputUri: output?.s3Uri ?? "",
    outputBucketOwner: output?.s3BucketOwner ?? null,
    outputEncryptionKeyId: output?.s3EncryptionKeyId ?? null,
    vpcConfig: job.vpcConfig === undefined ? null : {
      subnetIds: subnetIds ?? [],
      securityGroupIds: securityGroupIds ?? [],
    },
    timeoutDurationInHours: job.timeoutDurationInHours ?? null,
    modelInvocationType: toInvocationType(job.modelInvocationType),
  };
}

function toInvocationType(
  type: string | undefined,
): RemoteBedrockJob["modelInvocationType"] {
  return type === "InvokeModel" || type === "Converse" ? type : null;
}

/** Reads one model of Bedrock's catalogue. */
export function toFoundationModel(
  model: FoundationModelSummary,
): FoundationModel {
  return {
    modelId: model.modelId ?? "",
    modelArn: model.modelArn ?? null,
    modelName: model.modelName ?? model.modelId ?? "",
    providerName: model.providerName ?? "",
    inputModalities: model.inputModalities ?? [],
    outputModalities: model.outputModalities ?? [],
    responseStreamingSupported: model.responseStreamingSupported ?? null,
    customizationsSupported: model.customizationsSupported ?? [],
    inferenceTypesSupported: model.inferenceTypesSupported ?? [],
    lifecycleStatus: model.modelLifecycle?.status === "LEGACY"
      ? "LEGACY"
      : "ACTIVE",
  };
}
