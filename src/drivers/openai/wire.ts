import { z } from "zod";
import type {
  RecordCounts,
  RemoteBatch,
  RemoteFile,
} from "../../domain/driver.ts";
import type { JobStatus } from "../../domain/job_status.ts";

/**
 * OpenAI's File, Batch and Model objects (API Reference), read so that other
 * servers of this API may leave out what they do not know.
 */

/** Metadata keys by which a batch tells whose it is. */
export const JOB_ID_KEY = "finops_job_id";
export const JOB_NAME_KEY = "finops_job_name";
/** "Metadata": values of at most 512 characters. */
export const METADATA_VALUE_LENGTH_MAX = 512;

const MESSAGE_LENGTH_MAX = 2_000;
const MESSAGE_ERRORS_MAX = 10;
/** Numbers beyond it count milliseconds: as seconds it is the year 5138. */
const SECONDS_MAX = 100_000_000_000;

const textSchema = z.string().nullish().catch(null).transform((text) =>
  text ?? null
);
const countSchema = z.coerce.number().int().nonnegative().catch(0);
const timeSchema = z.union([z.number(), z.string()]).nullish().catch(null)
  .transform(toDate);

/** Unix seconds, as documented; others send text or milliseconds. */
function toDate(time: number | string | null | undefined): Date | null {
  if (time === null || time === undefined || time === "") return null;
  const value = Number(time);
  const date = Number.isNaN(value)
    ? new Date(time)
    : new Date(value > SECONDS_MAX ? value : value * 1000);
  return Number.isNaN(date.getTime()) ? null : date;
}

// ------------------------------------------------------------------ files

const fileSchema = z.object({
  id: z.string().min(1),
  bytes: z.coerce.number().int().nonnegative().nullish().catch(null),
  created_at: timeSchema,
  expires_at: timeSchema,
  filename: textSchema,
  // Servers without other purposes may not name this one.
  purpose: z.string().catch("batch"),
  status: textSchema,
});

export type WireFile = z.infer<typeof fileSchema>;

/** @throws {z.ZodError} where it is no File object. */
export function parseFile(json: unknown): WireFile {
  return fileSchema.parse(json);
}

/** Null where it is no File object. */
export function tryParseFile(json: unknown): WireFile | null {
  return fileSchema.safeParse(json).data ?? null;
}

const PURPOSES: ReadonlyMap<string, RemoteFile["purpose"]> = new Map([
  ["batch", "input"],
  ["batch_output", "output"],
]);

const FILE_STATES: ReadonlyMap<string, RemoteFile["state"]> = new Map([
  ["error", "failed"],
  ["failed", "failed"],
  ["pending", "processing"],
  ["processing", "processing"],
]);

export function toRemoteFile(file: WireFile): RemoteFile {
  const purpose = PURPOSES.get(file.purpose) ?? "other";
  return {
    id: file.id,
    fileName: file.filename,
    sizeBytes: file.bytes ?? 0,
    createdAt: file.created_at ?? new Date(0),
    expiresAt: file.expires_at,
    purpose,
    // `uploaded` and `processed` are both ready: OpenAI deprecated the field.
    state: FILE_STATES.get(file.status ?? "") ?? "ready",
    // Content of other purposes is refused with "Not allowed to download".
    downloadable: purpose !== "other",
  };
}

// ---------------------------------------------------------------- batches

const batchErrorSchema = z.object({
  code: textSchema,
  message: textSchema,
  line: z.number().nullish().catch(null),
});

const batchSchema = z.object({
  id: z.string().min(1),
  status: z.string().catch(""),
  endpoint: textSchema,
  model: textSchema,
  input_file_id: textSchema,
  output_file_id: textSchema,
  error_file_id: textSchema,
  created_at: timeSchema,
  in_progress_at: timeSchema,
  expires_at: timeSchema,
  finalizing_at: timeSchema,
  completed_at: timeSchema,
  failed_at: timeSchema,
  expired_at: timeSchema,
  cancelling_at: timeSchema,
  cancelled_at: timeSchema,
  request_counts: z.object({
    total: countSchema,
    completed: countSchema,
    failed: countSchema,
  }).nullish().catch(null),
  errors: z.object({ data: z.array(batchErrorSchema).catch([]) }).nullish()
    .catch(null),
  metadata: z.record(z.string(), z.unknown()).nullish().catch(null),
});

export type WireBatch = z.infer<typeof batchSchema>;

/** @throws {z.ZodError} where it is no Batch object. */
export function parseBatch(json: unknown): WireBatch {
  return batchSchema.parse(json);
}

/** Null where it is no Batch object. */
export function tryParseBatch(json: unknown): WireBatch | null {
  return batchSchema.safeParse(json).data ?? null;
}

export function toRemoteBatch(batch: WireBatch): RemoteBatch {
  const status = toStatus(batch);
  return {
    id: batch.id,
    status,
    counts: toCounts(batch),
    jobId: metadataText(batch, JOB_ID_KEY),
    clientRequestToken: null,
    name: metadataText(batch, JOB_NAME_KEY),
    modelId: batch.model,
    endpoint: batch.endpoint,
    inputFileId: batch.input_file_id,
    outputFileIds: [batch.output_file_id, batch.error_file_id]
      .filter((id): id is string => id !== null && id !== ""),
    createdAt: batch.created_at ?? new Date(0),
    modifiedAt: latest(batch),
    endedAt: batch.completed_at ?? batch.failed_at ?? batch.expired_at ??
      batch.cancelled_at,
    expiresAt: batch.expires_at,
    message: toMessage(batch),
    bedrock: null,
  };
}

/** The documented states; both spellings of "cancel" are about. */
const STATUSES: ReadonlyMap<string, JobStatus> = new Map([
  ["validating", "Validating"],
  ["pending", "Scheduled"],
  ["queued", "Scheduled"],
  ["in_progress", "InProgress"],
  ["finalizing", "InProgress"],
  ["completed", "Completed"],
  ["failed", "Failed"],
  ["expired", "Expired"],
  ["cancelling", "Stopping"],
  ["canceling", "Stopping"],
  ["cancelled", "Stopped"],
  ["canceled", "Stopped"],
]);

function toStatus(batch: WireBatch): JobStatus {
  // A state that this code does not know has not ended, as far as it knows.
  const status = STATUSES.get(batch.status.toLowerCase()) ?? "InProgress";
  const partial = (batch.request_counts?.completed ?? 0) > 0;
  return status === "Expired" && partial ? "PartiallyCompleted" : status;
}

function toCounts(batch: WireBatch): RecordCounts | null {
  const counts = batch.request_counts ?? null;
  if (counts === null) return null;
  // Until the input is validated the total stands at 0.
  if (counts.total === 0 && toStatus(batch) === "Validating") return null;
  return {
    total: counts.total,
    processed: counts.completed + counts.failed,
    succeeded: counts.completed,
    failed: counts.failed,
  };
}

function metadataText(batch: WireBatch, key: string): string | null {
  const value = batch.metadata?.[key];
  return typeof value === "string" && value !== "" ? value : null;
}

function latest(batch: WireBatch): Date | null {
  const times = [
    batch.created_at,
    batch.in_progress_at,
    batch.finalizing_at,
    batch.completed_at,
    batch.failed_at,
    batch.expired_at,
    batch.cancelling_at,
    batch.cancelled_at,
  ].filter((time): time is Date => time !== null);
  if (times.length === 0) return null;
  return new Date(Math.max(...times.map((time) => time.getTime())));
}

/** What was wrong with the input, one clause an error; null: nothing said. */
function toMessage(batch: WireBatch): string | null {
  const errors = batch.errors?.data ?? [];
  if (errors.length === 0) return null;
  const clauses = errors.slice(0, MESSAGE_ERRORS_MAX).map((error) => {
    const place = typeof error.line === "number" ? `line ${error.line}: ` : "";
    const code = error.code === null ? "" : ` (${error.code})`;
    return `${place}${error.message ?? "unspecified"}${code}`;
  });
  const hidden = errors.length - clauses.length;
  if (hidden > 0) clauses.push(`and ${hidden} more`);
  return clauses.join("; ").slice(0, MESSAGE_LENGTH_MAX);
}

// ----------------------------------------------------------------- models

const modelSchema = z.object({ id: z.string().min(1) });

/** Null where it is no Model object. */
export function tryParseModelId(json: unknown): string | null {
  return modelSchema.safeParse(json).data?.id ?? null;
}
