import { createHash } from "node:crypto";
import type {
  ModelInvocationType,
  RecordCounts,
  Tag,
  VpcConfig,
} from "../driver.ts";
import type { JobStatus } from "../job_status.ts";
import type { ProviderName } from "../provider.ts";

/** CreateModelInvocationJob as the caller sent it, parsed. */
export interface JobRequest {
  readonly jobName: string;
  /** Any string; only Bedrock has roles, and its role is the server's. */
  readonly roleArn: string | null;
  readonly clientRequestToken: string | null;
  readonly modelId: string;
  readonly inputUri: string;
  readonly inputFormat: string | null;
  readonly inputBucketOwner: string | null;
  readonly outputUri: string;
  readonly outputEncryptionKeyId: string | null;
  readonly outputBucketOwner: string | null;
  readonly vpcConfig: VpcConfig | null;
  readonly timeoutDurationInHours: number | null;
  readonly modelInvocationType: ModelInvocationType | null;
  readonly tags: readonly Tag[];
}

/** What the request came to mean once its input was found. */
export interface JobPlan {
  readonly input:
    | { readonly kind: "file"; readonly fileId: string }
    | { readonly kind: "object"; readonly s3Uri: string };
  readonly endpoint: string | null;
  readonly modelInvocationType: ModelInvocationType | null;
}

/**
 * What is known of a job's way to the provider.
 *
 * - `sending`: the call may be under way, lost, or answered to a process that
 *   died; the provider's own list decides, not a second attempt. `missedAt` is
 *   when that list first lacked the batch although the call was over, and
 *   `attempt` counts the calls.
 * - `unsent`: nothing reached the provider, and the job waits to be sent.
 * - `accepted`: the provider has the batch.
 * - `withdrawn`: nothing was sent, or it was refused, and nothing will be.
 */
export type Submission =
  | {
    readonly state: "sending";
    readonly attempt: number;
    readonly deadlineAt: Date;
    readonly missedAt: Date | null;
  }
  | {
    readonly state: "unsent";
    readonly attempt: number;
    readonly retryAt: Date;
  }
  | { readonly state: "accepted" }
  | { readonly state: "withdrawn" };

export interface TokenCounts {
  readonly input: number;
  readonly output: number;
}

/** The collected results of an ended job; see `ResultObjects`. */
export interface JobResult {
  /** Null where nothing can be kept: read from the provider each time. */
  readonly storeKey: string | null;
  readonly sizeBytes: number;
  /** Hex MD5 of the lines, as S3 would show it. */
  readonly etag: string;
  readonly storedAt: Date;
}

/** One batch job, whoever started it. One KV value, so under 64 KiB. */
export interface Job {
  /** 12 characters of `[a-z0-9]`. */
  readonly id: string;
  readonly arn: string;
  /** The ARN was given to a caller and must stay. */
  readonly arnGiven: boolean;
  /** Null: started with the provider's own tools. */
  readonly tenant: string | null;
  readonly provider: ProviderName;
  readonly request: JobRequest;
  readonly plan: JobPlan;
  readonly submission: Submission;
  /** The provider's native id, once known. */
  readonly batchId: string | null;
  /** Since when the provider says that it does not have the batch. */
  readonly missingSince: Date | null;
  /** The provider's files that hold the results, as far as it has told. */
  readonly outputFileIds: readonly string[];
  readonly status: JobStatus;
  readonly stopRequested: boolean;
  readonly message: string | null;
  readonly counts: RecordCounts | null;
  readonly tokens: TokenCounts | null;
  readonly result: JobResult | null;
  readonly submittedAt: Date;
  readonly modifiedAt: Date;
  readonly endedAt: Date | null;
  readonly expiresAt: Date | null;
}

const ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const ID_LENGTH = 12;

/** Shown in the ARNs of jobs that no AWS account owns. */
const NO_ACCOUNT = "000000000000";

/** A new random job id. */
export function newJobId(): string {
  return idFromBytes(crypto.getRandomValues(new Uint8Array(ID_LENGTH * 2)));
}

/**
 * The same id each time for the same native batch, so that a batch started
 * with the provider's own tools keeps one ARN on every replica.
 */
export async function deriveJobId(
  provider: ProviderName,
  batchId: string,
): Promise<string> {
  const text = new TextEncoder().encode(`${provider}\0${batchId}`);
  return idFromBytes(
    new Uint8Array(await crypto.subtle.digest("SHA-256", text)),
  );
}

/** Reduces pairs of bytes, so that the alphabet's 36 letters stay uniform. */
function idFromBytes(bytes: Uint8Array): string {
  let id = "";
  for (let i = 0; i < ID_LENGTH; i++) {
    const pair = ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0);
    id += ID_ALPHABET[pair % ID_ALPHABET.length];
  }
  return id;
}

/** The ARN of a job that lives outside AWS. */
export function jobArn(region: string, jobId: string): string {
  return `arn:aws:bedrock:${region}:${NO_ACCOUNT}:model-invocation-job/${jobId}`;
}

/** The last segment of an ARN, or the identifier itself. */
export function jobIdentifierTail(identifier: string): string {
  if (!identifier.startsWith("arn:")) return identifier;
  return identifier.slice(identifier.lastIndexOf("/") + 1);
}

/** Bucket and key of an `s3://` URI; null where it is none. */
export function parseS3Uri(
  uri: string,
): { readonly bucket: string; readonly key: string } | null {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri);
  if (match === null) return null;
  return { bucket: match[1] ?? "", key: match[2] ?? "" };
}

/** Where Bedrock would have put this job's results, as bucket and keys. */
export interface ResultLocation {
  readonly bucket: string;
  readonly outputKey: string;
  readonly manifestKey: string;
}

/** `<output uri>/<job id>/<input name>.out` and `manifest.json.out`. */
export function resultLocation(job: Job): ResultLocation | null {
  const output = parseS3Uri(job.request.outputUri);
  if (output === null) return null;
  const folder = output.key === "" || output.key.endsWith("/")
    ? output.key
    : `${output.key}/`;
  const prefix = `${folder}${jobIdentifierTail(job.arn)}/`;
  const inputName = job.request.inputUri.split("/").at(-1) ?? "";
  return {
    bucket: output.bucket,
    outputKey: `${prefix}${inputName === "" ? "input.jsonl" : inputName}.out`,
    manifestKey: `${prefix}manifest.json.out`,
  };
}

/**
 * What the provider's batch bears, by which it is found again: the job's id,
 * and on Bedrock its clientRequestToken, made from the caller's own token and
 * tenant so that Bedrock's idempotency holds as well.
 */
export function batchMark(job: Job): string {
  if (job.provider !== "bedrock") return job.id;
  const token = job.request.clientRequestToken;
  if (token === null) return `finops${job.id}`;
  return createHash("sha256").update(`${job.tenant ?? ""}\0${token}`)
    .digest("hex");
}
