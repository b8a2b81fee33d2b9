import type { ByteRange, ByteStream } from "./bytes.ts";
import type { JobStatus } from "./job_status.ts";
import type { ProviderName } from "./provider.ts";

/** What a driver needs to know of the call it serves. */
export interface DriverCall {
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/**
 * One provider account behind one uniform surface. Every method rejects with
 * GatewayError and nothing else; every stream errors with GatewayError.
 * Drivers keep no state of their own beyond their HTTP clients.
 */
export interface ProviderDriver {
  readonly provider: ProviderName;
  readonly storage: FileStorage | ObjectStorage | NoStorage;
  readonly batches: BatchApi | NoBatches;
  readonly models: ModelCatalogue;
  /** One cheap authenticated call, to learn whether the credentials work. */
  probe(call: DriverCall): Promise<void>;
  close(): void;
}

// ---------------------------------------------------------------- storage

/** A provider without file storage for batches; `reason` names the way out. */
export interface NoStorage {
  readonly kind: "none";
  readonly reason: string;
}

/** Files under ids that the provider mints: OpenAI and Gemini. */
export interface FileStorage {
  readonly kind: "files";
  readonly fileBytesMax: number;
  /** Whether the text has the shape of one of this provider's file ids. */
  isFileId(text: string): boolean;
  /**
   * Streams `body` (exactly `draft.sizeBytes` bytes) into a new file. The
   * provider is told that the file is complete only after `body` has closed; a
   * body that errors leaves no file behind.
   */
  putFile(
    call: DriverCall,
    draft: FileDraft,
    body: ByteStream,
  ): Promise<RemoteFile>;
  /** Rejects with `no_such_key` where the account has no such file. */
  getFile(call: DriverCall, fileId: string): Promise<RemoteFile>;
  /** Every batch input and output file of the account, page by page. */
  listFiles(call: DriverCall): AsyncIterable<readonly RemoteFile[]>;
  /** The whole content; `invalid_object_state` where it is not handed back. */
  openFile(call: DriverCall, fileId: string): Promise<ByteStream>;
  /** Idempotent: an absent file is no error. */
  deleteFile(call: DriverCall, fileId: string): Promise<void>;
}

export interface FileDraft {
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly contentType: string;
}

export interface RemoteFile {
  /** As callers see it: Gemini's without `files/`. */
  readonly id: string;
  readonly fileName: string | null;
  readonly sizeBytes: number;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly purpose: "input" | "output" | "other";
  readonly state: "processing" | "ready" | "failed";
  /** False where the provider never hands the content back. */
  readonly downloadable: boolean;
}

/** Real S3: bucket and key mean what they say. */
export interface ObjectStorage {
  readonly kind: "objects";
  /**
   * Sends one S3 request on under the gateway's own credentials and hands
   * back what S3 answered, error answers included. Rejects only where S3
   * could not be reached or its answer could not be shown to a caller.
   */
  forward(call: DriverCall, request: ObjectRequest): Promise<ObjectResponse>;
  /** Rejects with `no_such_key`, `no_such_bucket` or `access_denied`. */
  headObject(
    call: DriverCall,
    address: ObjectAddress,
  ): Promise<{ sizeBytes: number; etag: string }>;
  openObject(
    call: DriverCall,
    address: ObjectAddress,
    range?: ByteRange,
  ): Promise<ByteStream>;
  /** Keys under a prefix in S3's order; used where a job names a prefix. */
  listObjects(
    call: DriverCall,
    prefix: ObjectAddress,
  ): AsyncIterable<{ key: string; sizeBytes: number }>;
}

export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

/** One S3 request as the front end verified it; see `ObjectStorage.forward`. */
export interface ObjectRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Null for ListBuckets. */
  readonly bucket: string | null;
  /** The key exactly as it stood on the wire, percent-encoded; null: none. */
  readonly rawKey: string | null;
  /** Decoded pairs, in the order they came; valueless ones have "". */
  readonly query: readonly (readonly [string, string])[];
  /** Only headers that S3 should see; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ObjectBody | null;
}

export interface ObjectBody {
  readonly stream: ByteStream;
  readonly sizeBytes: number;
  /**
   * Present where the client announced a checksum in a trailer. The value is
   * known, and verified, once `stream` has closed.
   */
  readonly trailer?: {
    readonly name: string;
    value(): string;
  };
}

export interface ObjectResponse {
  readonly status: number;
  /** Only headers that a caller may see; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ByteStream | null;
}

// ---------------------------------------------------------------- batches

/** A provider on which no job can be started; `reason` names the way out. */
export interface NoBatches {
  readonly kind: "none";
  readonly reason: string;
}

export interface BatchApi {
  readonly kind: "batches";
  /**
   * `in_place`: the provider itself writes results where the job's output
   * says (Bedrock). `collected`: the gateway fetches them when the job ends.
   */
  readonly results: "in_place" | "collected";
  readonly inputBytesMax: number;
  readonly recordsMax: number;
  /** Whether the text has the shape of one of this provider's batch ids. */
  isBatchId(text: string): boolean;
  /**
   * Starts one batch. A rejection for which `isOutcomeUnknown` holds may have
   * started it all the same; any other has not.
   */
  startBatch(call: DriverCall, order: BatchOrder): Promise<RemoteBatch>;
  /** Rejects with `no_such_job` where the account has no such batch. */
  getBatch(call: DriverCall, batchId: string): Promise<RemoteBatch>;
  /** Newest first, page by page; a consumer stops when it has seen enough. */
  listBatches(call: DriverCall): AsyncIterable<readonly RemoteBatch[]>;
  /** Rejects with `conflict` where the batch has already ended. */
  stopBatch(call: DriverCall, batchId: string): Promise<void>;
  /**
   * The provider's own result lines of an ended batch, successes first, as
   * JSON lines each ended by a newline. An ended batch without any line gives
   * an empty stream. Only where `results` is `collected`.
   */
  openResults(call: DriverCall, batch: RemoteBatch): Promise<ByteStream>;
}

/** Where an order's records are. */
export type BatchInput =
  | { readonly kind: "file"; readonly fileId: string }
  | { readonly kind: "object"; readonly s3Uri: string };

export interface BatchOrder {
  /** The gateway's id; given to the provider so that the batch can be found. */
  readonly jobId: string;
  readonly jobName: string;
  readonly modelId: string;
  readonly input: BatchInput;
  /** OpenAI's endpoint, such as `/v1/chat/completions`; null elsewhere. */
  readonly endpoint: string | null;
  /** What only Bedrock takes; null elsewhere. */
  readonly bedrock: BedrockOrder | null;
}

/** CreateModelInvocationJob's members that reach Bedrock as they were given. */
export interface BedrockOrder {
  readonly clientRequestToken: string;
  readonly outputUri: string;
  readonly inputBucketOwner: string | null;
  readonly outputBucketOwner: string | null;
  readonly outputEncryptionKeyId: string | null;
  readonly vpcConfig: VpcConfig | null;
  readonly timeoutDurationInHours: number | null;
  readonly modelInvocationType: ModelInvocationType | null;
  readonly tags: readonly Tag[];
}

export interface VpcConfig {
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
}

export type ModelInvocationType = "InvokeModel" | "Converse";

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface RecordCounts {
  readonly total: number;
  readonly processed: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** A provider's batch, in the terms that every provider shares. */
export interface RemoteBatch {
  /** The provider's native id: `batch_…`, Gemini's without `batches/`, an ARN. */
  readonly id: string;
  readonly status: JobStatus;
  /** Null where the provider does not tell (yet). */
  readonly counts: RecordCounts | null;
  /** The id that `startBatch` was given, where this batch bears one. */
  readonly jobId: string | null;
  /** Bedrock's clientRequestToken, by which its jobs are found again. */
  readonly clientRequestToken: string | null;
  readonly name: string | null;
  readonly modelId: string | null;
  readonly endpoint: string | null;
  readonly inputFileId: string | null;
  /** Files that hold the results, successes first. */
  readonly outputFileIds: readonly string[];
  readonly createdAt: Date;
  readonly modifiedAt: Date | null;
  readonly endedAt: Date | null;
  readonly expiresAt: Date | null;
  /** Why it failed, in the provider's words. */
  readonly message: string | null;
  /** Members that only Bedrock's jobs have; null elsewhere. */
  readonly bedrock: RemoteBedrockJob | null;
}

export interface RemoteBedrockJob {
  readonly roleArn: string;
  readonly inputUri: string;
  readonly inputFormat: string | null;
  readonly inputBucketOwner: string | null;
  readonly outputUri: string;
  readonly outputBucketOwner: string | null;
  readonly outputEncryptionKeyId: string | null;
  readonly vpcConfig: VpcConfig | null;
  readonly timeoutDurationInHours: number | null;
  readonly modelInvocationType: ModelInvocationType | null;
}

// ---------------------------------------------------------------- models

export interface ModelCatalogue {
  /** Every model that the account can use; bounded by the provider's list. */
  listModels(call: DriverCall): Promise<readonly FoundationModel[]>;
  /** Rejects with `no_such_resource`. `modelId` may also be a Bedrock ARN. */
  getModel(call: DriverCall, modelId: string): Promise<FoundationModel>;
}

/** FoundationModelSummary of the botocore model, in the gateway's terms. */
export interface FoundationModel {
  readonly modelId: string;
  /** Null: the front end makes one in Bedrock's form. */
  readonly modelArn: string | null;
  readonly modelName: string;
  readonly providerName: string;
  readonly inputModalities: readonly string[];
  readonly outputModalities: readonly string[];
  readonly responseStreamingSupported: boolean | null;
  readonly customizationsSupported: readonly string[];
  readonly inferenceTypesSupported: readonly string[];
  readonly lifecycleStatus: "ACTIVE" | "LEGACY";
}
