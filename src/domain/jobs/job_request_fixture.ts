import type { CallContext } from "../context.ts";
import type { JobRequest } from "./job.ts";

/** Someone who may see everything. */
export const ADMIN_CALL: CallContext = {
  requestId: "r-1",
  principal: {
    tenant: "default",
    accessKeyId: null,
    admin: true,
    providers: null,
    defaultProvider: null,
    buckets: [],
  },
  signal: new AbortController().signal,
  region: "us-west-2",
};

/** A request that names a file of OpenAI's. */
export function jobRequest(change: Partial<JobRequest> = {}): JobRequest {
  return {
    jobName: "job-1",
    roleArn: "not-required",
    clientRequestToken: "token-1",
    modelId: "model-1",
    inputUri: "s3://openai-files/file-1",
    inputFormat: "JSONL",
    inputBucketOwner: null,
    outputUri: "s3://openai-output/",
    outputEncryptionKeyId: null,
    outputBucketOwner: null,
    vpcConfig: null,
    timeoutDurationInHours: null,
    modelInvocationType: null,
    tags: [],
    ...change,
  };
}
