import { z } from "zod";
import type {
  RecordCounts,
  RemoteBatch,
  RemoteFile,
} from "../../domain/driver.ts";
import { isTerminal, type JobStatus } from "../../domain/job_status.ts";

/**
 * Gemini's File, Operation and Model objects (Gemini API reference, "Files",
 * "Batch API", "Models"), read so that other servers of this API may leave out
 * what they do not know. 64-bit numbers come as text.
 */

/** "Batch API": what has not ended within 48 hours expires. */
const BATCH_LIFE_MS = 48 * 60 * 60 * 1000;
const MESSAGE_LENGTH_MAX = 2_000;

const textSchema = z.string().nullish().catch(null).transform((text) =>
  text === "" ? null : text ?? null
);
const countSchema = z.coerce.number().int().nonnegative().catch(0);
const timeSchema = z.string().nullish().catch(null).transform((text) => {
  const date = new Date(text ?? NaN);
  return Number.isNaN(date.getTime()) ? null : date;
});

/** `files/abc` -> `abc`; `models/m` -> `m`. */
export function withoutCollection(name: string): string {
  return name.replace(/^(?:files|batches|models)\//, "");
}

// ------------------------------------------------------------------ files

const fileSchema = z.object({
  name: z.string().min(1),
  displayName: textSchema,
  mimeType: textSchema,
  sizeBytes: countSchema,
  createTime: timeSchema,
  expirationTime: timeSchema,
  downloadUri: textSchema,
  state: textSchema,
  source: textSchema,
});

export type WireFile = z.infer<typeof fileSchema>;

/** Reads a File, bare or as an upload's `{file}`. */
export function parseFile(json: unknown): WireFile {
  const wrapped = z.object({ file: z.unknown().optional() }).safeParse(json)
    .data?.file;
  return fileSchema.parse(wrapped ?? json);
}

/** Null where it is no File object. */
export function tryParseFile(json: unknown): WireFile | null {
  return fileSchema.safeParse(json).data ?? null;
}

const FILE_STATES: ReadonlyMap<string, RemoteFile["state"]> = new Map([
  ["PROCESSING", "processing"],
  ["FAILED", "failed"],
]);

export function toRemoteFile(file: WireFile): RemoteFile {
  const generated = isGenerated(file);
  return {
    id: withoutCollection(file.name),
    fileName: file.displayName,
    sizeBytes: file.sizeBytes,
    createdAt: file.createTime ?? new Date(0),
    expiresAt: file.expirationTime,
    purpose: generated ? "output" : isBatchInput(file) ? "input" : "other",
    state: FILE_STATES.get(file.state ?? "") ?? "ready",
    downloadable: generated,
  };
}

/** Only what Gemini made itself has a download URI, and is handed back. */
function isGenerated(file: WireFile): boolean {
  return file.source === "GENERATED" ||
    (file.source === null && file.downloadUri !== null);
}

function isBatchInput(file: WireFile): boolean {
  return /^(application\/)?(x-)?(json|jsonl|jsonlines|ndjson)\b|^text\//
    .test(file.mimeType ?? "") ||
    (file.displayName ?? "").endsWith(".jsonl");
}

/** Whether a batch may have read or written it; others make videos, too. */
export function isBatchFile(file: WireFile): boolean {
  return isGenerated(file)
    ? !/^(image|video|audio)\//.test(file.mimeType ?? "")
    : isBatchInput(file);
}

// ---------------------------------------------------------------- batches

const outputSchema = z.object({ responsesFile: textSchema }).nullish()
  .catch(null);

const batchFactsSchema = z.object({
  model: textSchema,
  displayName: textSchema,
  state: textSchema,
  createTime: timeSchema,
  updateTime: timeSchema,
  endTime: timeSchema,
  inputConfig: z.object({ fileName: textSchema }).nullish().catch(null),
  batchStats: z.object({
    requestCount: countSchema,
    successfulRequestCount: countSchema,
    failedRequestCount: countSchema,
  }).nullish().catch(null),
  output: outputSchema,
});

const operationSchema = z.object({
  name: z.string().min(1),
  metadata: batchFactsSchema.nullish().catch(null),
  done: z.boolean().nullish().catch(null),
  response: z.object({ responsesFile: textSchema, output: outputSchema })
    .nullish().catch(null),
  error: z.object({ message: textSchema }).nullish().catch(null),
});

export interface WireBatch extends z.infer<typeof batchFactsSchema> {
  readonly operation: z.infer<typeof operationSchema>;
}

/** Reads an Operation, or a batch that a server sends without one around it. */
export function parseBatch(json: unknown): WireBatch {
  const operation = operationSchema.parse(json);
  return {
    ...(operation.metadata ?? batchFactsSchema.parse(json)),
    operation,
  };
}

/** Null where it is no Operation. */
export function tryParseBatch(json: unknown): WireBatch | null {
  return operationSchema.safeParse(json).success ? parseBatch(json) : null;
}

export function toRemoteBatch(batch: WireBatch): RemoteBatch {
  const { operation } = batch;
  const label = parseLabel(batch.displayName ?? "");
  const responsesFile = batch.output?.responsesFile ??
    operation.response?.responsesFile ??
    operation.response?.output?.responsesFile ?? null;
  return {
    id: withoutCollection(operation.name),
    status: toStatus(batch),
    counts: toCounts(batch),
    jobId: label.jobId,
    clientRequestToken: null,
    name: label.name,
    modelId: batch.model === null ? null : withoutCollection(batch.model),
    endpoint: null,
    inputFileId: batch.inputConfig?.fileName
      ? withoutCollection(batch.inputConfig.fileName)
      : null,
    outputFileIds: responsesFile === null
      ? []
      : [withoutCollection(responsesFile)],
    createdAt: batch.createTime ?? new Date(0),
    modifiedAt: batch.updateTime,
    endedAt: batch.endTime,
    expiresAt: batch.createTime === null
      ? null
      : new Date(batch.createTime.getTime() + BATCH_LIFE_MS),
    message: operation.error?.message?.slice(0, MESSAGE_LENGTH_MAX) ?? null,
    bedrock: null,
  };
}

/** The name under which a batch is shown, and by which it is found again. */
export function toLabel(jobName: string, jobId: string): string {
  return `${jobName} finops:${jobId}`;
}

function parseLabel(
  label: string,
): { readonly name: string | null; readonly jobId: string | null } {
  const match = /^(.*) finops:([a-z0-9]{12})$/s.exec(label);
  return {
    name: (match === null ? label : match[1]) || null,
    jobId: match?.[2] ?? null,
  };
}

/** States without their prefix: both BATCH_STATE_ and JOB_STATE_ are about. */
const STATUSES: ReadonlyMap<string, JobStatus> = new Map([
  ["QUEUED", "Scheduled"],
  ["PENDING", "Scheduled"],
  ["RUNNING", "InProgress"],
  ["PAUSED", "InProgress"],
  ["SUCCEEDED", "Completed"],
  ["PARTIALLY_SUCCEEDED", "PartiallyCompleted"],
  ["FAILED", "Failed"],
  ["CANCELLING", "Stopping"],
  ["CANCELLED", "Stopped"],
  ["EXPIRED", "Expired"],
]);

function toStatus(batch: WireBatch): JobStatus {
  const state = (batch.state ?? "").replace(/^(BATCH|JOB)_STATE_/, "");
  const status = STATUSES.get(state);
  if (status !== undefined) return status;
  const { done, error } = batch.operation;
  if (done === true) return error ? "Failed" : "Completed";
  // A new batch may not have a state yet, and one unknown has not ended.
  return state === "" || state === "UNSPECIFIED" ? "Submitted" : "InProgress";
}

function toCounts(batch: WireBatch): RecordCounts | null {
  const stats = batch.batchStats ?? null;
  if (stats === null) return null;
  // Counts of 0 are left out, and the total is 0 until the file is read.
  if (stats.requestCount === 0 && !isTerminal(toStatus(batch))) return null;
  return {
    total: stats.requestCount,
    processed: stats.successfulRequestCount + stats.failedRequestCount,
    succeeded: stats.successfulRequestCount,
    failed: stats.failedRequestCount,
  };
}

// ------------------------------------------------------------------ pages

const batchPageSchema = z.object({
  operations: z.array(z.unknown()).nullish().catch(null),
  batches: z.array(z.unknown()).nullish().catch(null),
  nextPageToken: textSchema,
});

export interface BatchPage {
  readonly batches: readonly WireBatch[];
  readonly nextPageToken: string | null;
}

export function parseBatchPage(json: unknown): BatchPage {
  const page = batchPageSchema.parse(json);
  return {
    batches: (page.operations ?? page.batches ?? []).map(tryParseBatch)
      .filter((batch) => batch !== null),
    nextPageToken: page.nextPageToken,
  };
}

// ----------------------------------------------------------------- models

const modelSchema = z.object({
  name: z.string().min(1),
  displayName: textSchema,
});

export type WireModel = z.infer<typeof modelSchema>;

/** Null where it is no Model object. */
export function tryParseModel(json: unknown): WireModel | null {
  return modelSchema.safeParse(json).data ?? null;
}
