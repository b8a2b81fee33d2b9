import { z } from "zod";
import { createRequestSchema } from "./create_request.ts";

/** ModelInvocationJobStatus in the botocore model, in the order of a life. */
export const JOB_STATUSES = [
  "Submitted",
  "Validating",
  "Scheduled",
  "InProgress",
  "Stopping",
  "Completed",
  "PartiallyCompleted",
  "Failed",
  "Stopped",
  "Expired",
] as const;

export type JobStatus = typeof JOB_STATUSES[number];

const TERMINAL: ReadonlySet<JobStatus> = new Set([
  "Completed",
  "PartiallyCompleted",
  "Failed",
  "Stopped",
  "Expired",
]);

const TIMEOUT_HOURS_DEFAULT = 24;

export const jobSchema = z.object({
  id: z.string(),
  arn: z.string(),
  /** Counts up, to tell apart jobs of one millisecond. */
  sequence: z.number(),
  request: createRequestSchema,
  status: z.enum(JOB_STATUSES),
  message: z.string().nullable(),
  submitTimeMs: z.number(),
  lastModifiedTimeMs: z.number(),
  endTimeMs: z.number().nullable(),
  counts: z.object({
    total: z.number(),
    processed: z.number(),
    success: z.number(),
    error: z.number(),
  }),
  tags: z.array(z.object({ key: z.string(), value: z.string() })),
});

/** A job as the account knows it; its run moves it on. */
export type Job = z.infer<typeof jobSchema>;

export function isTerminal(status: JobStatus): boolean {
  return TERMINAL.has(status);
}

/** Statuses only ever go forward, and an end is an end. */
export function mayMove(from: JobStatus, to: JobStatus): boolean {
  return !isTerminal(from) &&
    JOB_STATUSES.indexOf(to) > JOB_STATUSES.indexOf(from);
}

/** GetModelInvocationJob's answer, and an entry of the list. */
export function wireJob(job: Job): Record<string, unknown> {
  const { request, counts } = job;
  const timeoutHours = request.timeoutDurationInHours ?? TIMEOUT_HOURS_DEFAULT;
  const expirationTimeMs = job.submitTimeMs + timeoutHours * 3_600_000;
  // JSON.stringify leaves out what is undefined.
  return {
    jobArn: job.arn,
    jobName: request.jobName,
    modelId: request.modelId,
    clientRequestToken: request.clientRequestToken,
    roleArn: request.roleArn,
    status: job.status,
    message: job.message ?? undefined,
    submitTime: wireTime(job.submitTimeMs),
    lastModifiedTime: wireTime(job.lastModifiedTimeMs),
    endTime: job.endTimeMs === null ? undefined : wireTime(job.endTimeMs),
    inputDataConfig: request.inputDataConfig,
    outputDataConfig: request.outputDataConfig,
    vpcConfig: request.vpcConfig,
    timeoutDurationInHours: timeoutHours,
    jobExpirationTime: wireTime(expirationTimeMs),
    modelInvocationType: request.modelInvocationType ?? "InvokeModel",
    totalRecordCount: counts.total,
    processedRecordCount: counts.processed,
    successRecordCount: counts.success,
    errorRecordCount: counts.error,
  };
}

function wireTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
