import type { Job } from "../domain/jobs/job.ts";
import type { JobPage } from "../domain/jobs/job_listing.ts";

/**
 * A job with every member that the botocore model knows, and beside them the
 * documented `statistics`, which boto3 drops and raw HTTP callers read.
 */
export function renderJob(job: Job): Record<string, unknown> {
  return { ...renderSummary(job), ...statistics(job) };
}

export function renderJobPage(page: JobPage): Record<string, unknown> {
  return {
    invocationJobSummaries: page.jobs.map(renderSummary),
    ...(page.nextToken !== null && { nextToken: page.nextToken }),
  };
}

function renderSummary(job: Job): Record<string, unknown> {
  const { request } = job;
  return present({
    jobArn: job.arn,
    jobName: request.jobName,
    modelId: request.modelId,
    clientRequestToken: request.clientRequestToken,
    roleArn: request.roleArn ?? "",
    status: job.status,
    message: job.message,
    submitTime: job.submittedAt.toISOString(),
    lastModifiedTime: job.modifiedAt.toISOString(),
    endTime: job.endedAt?.toISOString(),
    inputDataConfig: {
      s3InputDataConfig: present({
        s3Uri: request.inputUri,
        s3InputFormat: request.inputFormat,
        s3BucketOwner: request.inputBucketOwner,
      }),
    },
    outputDataConfig: {
      s3OutputDataConfig: present({
        s3Uri: request.outputUri,
        s3EncryptionKeyId: request.outputEncryptionKeyId,
        s3BucketOwner: request.outputBucketOwner,
      }),
    },
    vpcConfig: request.vpcConfig,
    timeoutDurationInHours: request.timeoutDurationInHours,
    jobExpirationTime: job.expiresAt?.toISOString(),
    modelInvocationType: request.modelInvocationType ??
      job.plan.modelInvocationType,
    totalRecordCount: job.counts?.total,
    processedRecordCount: job.counts?.processed,
    successRecordCount: job.counts?.succeeded,
    errorRecordCount: job.counts?.failed,
  });
}

function statistics(job: Job): Record<string, unknown> {
  return {
    statistics: {
      totalRecordCount: job.counts?.total ?? 0,
      successfulRecordCount: job.counts?.succeeded ?? 0,
      failedRecordCount: job.counts?.failed ?? 0,
    },
  };
}

/** AWS leaves out members that have no value rather than sending null. */
function present(
  members: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) =>
      value !== null && value !== undefined
    ),
  );
}
