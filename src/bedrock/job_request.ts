import { z } from "zod";
import type { JobQuery } from "../domain/jobs/job_listing.ts";
import { type JobRequest, parseS3Uri } from "../domain/jobs/job.ts";
import { TAGS_MAX } from "../domain/jobs/job_service.ts";
import { JOB_STATUSES } from "../domain/job_status.ts";
import { parseMembers } from "./members.ts";

/** What Bedrock's lists hold when nobody says. */
const PAGE_SIZE_DEFAULT = 100;

const s3Uri = z.string().min(1).max(1024).refine(
  (uri) => parseS3Uri(uri) !== null,
  "must be s3://bucket/key",
);
const bucketOwner = z.string().regex(/^\d{12}$/, "must have 12 digits");

// The patterns and bounds of the botocore model, but for two that are wider:
// any roleArn (only Bedrock has roles) and any modelId (each provider's own).
const tag = z.object({
  key: z.string().min(1).max(128).regex(/^[a-zA-Z0-9\s._:/=+@-]*$/),
  value: z.string().max(256).regex(/^[a-zA-Z0-9\s._:/=+@-]*$/),
});

export const tagList = z.array(tag).max(TAGS_MAX).refine(
  (tags) => new Set(tags.map(({ key }) => key)).size === tags.length,
  "must not name a key twice",
);

const createShape = z.object({
  jobName: z.string().min(1).max(63)
    .regex(/^[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9+\-.]){0,63}$/),
  roleArn: z.string().max(2048).nullish(),
  clientRequestToken: z.string().min(1).max(256)
    .regex(/^[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}$/).nullish(),
  modelId: z.string().min(1).max(2048).regex(/^[\x21-\x7e]+$/),
  inputDataConfig: z.object({
    s3InputDataConfig: z.object({
      s3Uri,
      s3InputFormat: z.literal("JSONL").nullish(),
      s3BucketOwner: bucketOwner.nullish(),
    }),
  }),
  outputDataConfig: z.object({
    s3OutputDataConfig: z.object({
      s3Uri,
      s3EncryptionKeyId: z.string().min(1).max(2048).nullish(),
      s3BucketOwner: bucketOwner.nullish(),
    }),
  }),
  vpcConfig: z.object({
    subnetIds: z.array(z.string().min(1).max(32).regex(/^[-0-9a-zA-Z]+$/))
      .min(1).max(16),
    securityGroupIds: z.array(
      z.string().min(1).max(32).regex(/^[-0-9a-zA-Z]+$/),
    ).min(1).max(5),
  }).nullish(),
  timeoutDurationInHours: z.number().int().min(24).max(168).nullish(),
  modelInvocationType: z.enum(["InvokeModel", "Converse"]).nullish(),
  tags: tagList.nullish(),
});

/** @throws {GatewayError} `invalid_request` naming every member at fault. */
export function parseCreateJob(json: unknown): JobRequest {
  const body = parseMembers(createShape, json);
  const input = body.inputDataConfig.s3InputDataConfig;
  const output = body.outputDataConfig.s3OutputDataConfig;
  return {
    jobName: body.jobName,
    roleArn: body.roleArn ?? null,
    clientRequestToken: body.clientRequestToken ?? null,
    modelId: body.modelId,
    inputUri: input.s3Uri,
    inputFormat: input.s3InputFormat ?? null,
    inputBucketOwner: input.s3BucketOwner ?? null,
    outputUri: output.s3Uri,
    outputEncryptionKeyId: output.s3EncryptionKeyId ?? null,
    outputBucketOwner: output.s3BucketOwner ?? null,
    vpcConfig: body.vpcConfig ?? null,
    timeoutDurationInHours: body.timeoutDurationInHours ?? null,
    modelInvocationType: body.modelInvocationType ?? null,
    tags: body.tags ?? [],
  };
}

/** Any length of fraction: boto3 sends microseconds. */
const timestamp = z.string().max(64).transform((text, context) => {
  const date = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(date.getTime())) {
    return date;
  }
  context.addIssue("must be an ISO 8601 time");
  return z.NEVER;
});

const listShape = z.object({
  submitTimeAfter: timestamp.optional(),
  submitTimeBefore: timestamp.optional(),
  statusEquals: z.enum(JOB_STATUSES).optional(),
  nameContains: z.string().min(1).max(63).optional(),
  maxResults: z.string().regex(/^\d{1,4}$/, "must be a whole number")
    .transform(Number).pipe(z.number().min(1).max(1000)).optional(),
  nextToken: z.string().min(1).max(2048).optional(),
  sortBy: z.literal("CreationTime").optional(),
  sortOrder: z.enum(["Ascending", "Descending"]).optional(),
});

/** @throws {GatewayError} `invalid_request` naming every parameter at fault. */
export function parseListJobs(
  query: readonly (readonly [string, string])[],
): JobQuery {
  const members = parseMembers(listShape, Object.fromEntries(query));
  return {
    status: members.statusEquals ?? null,
    nameContains: members.nameContains ?? null,
    submittedAfter: members.submitTimeAfter ?? null,
    submittedBefore: members.submitTimeBefore ?? null,
    order: members.sortOrder === "Ascending" ? "ascending" : "descending",
    pageSize: members.maxResults ?? PAGE_SIZE_DEFAULT,
    nextToken: members.nextToken ?? null,
  };
}
