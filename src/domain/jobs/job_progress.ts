import type { BatchApi, RecordCounts, RemoteBatch } from "../driver.ts";
import { isTerminal, type JobStatus, mayMove } from "../job_status.ts";
import type { Job, JobResult, TokenCounts } from "./job.ts";
import { nativeIdOf } from "./remote_batch.ts";

/**
 * How long a provider must say that it has no such batch before the job ends.
 * A wrong key or project for an hour must not end every job for good.
 */
const MISSING_MAX_MS = 24 * 60 * 60_000;

/** What a finished job's result lines say, counted one by one. */
export interface CollectedResults {
  readonly result: JobResult;
  readonly counts: RecordCounts;
  readonly tokens: TokenCounts;
}

/**
 * The job as it stands after the provider reported `batch`. A batch that has
 * ended does not end a job whose results must be fetched first: that is
 * `finishJob`'s move. Returns the same object where nothing changed.
 */
export function applyBatch(
  job: Job,
  batch: RemoteBatch,
  results: BatchApi["results"],
  now: Date,
): Job {
  if (isTerminal(job.status)) return job;
  const bound = bindBatch(job, batch);
  const ended = isTerminal(batch.status);
  const shown = ended && mustCollect(batch, results)
    ? "InProgress"
    : batch.status;
  const next: Job = {
    ...bound,
    missingSince: null,
    status: forward(bound.status, shown),
    counts: largerCounts(bound.counts, batch.counts),
    message: batch.message ?? bound.message,
    outputFileIds: batch.outputFileIds,
    expiresAt: batch.expiresAt ?? bound.expiresAt,
    endedAt: isTerminal(shown) ? endOf(bound, batch, now) : bound.endedAt,
  };
  return sameProgress(job, next) ? job : { ...next, modifiedAt: now };
}

/** Whether the batch has ended with lines that the gateway must fetch. */
export function mustCollect(
  batch: RemoteBatch,
  results: BatchApi["results"],
): boolean {
  if (results === "in_place" || !isTerminal(batch.status)) return false;
  return batch.status !== "Failed" || batch.outputFileIds.length > 0;
}

/** The job at its end, with the counts of its result lines. */
export function finishJob(
  job: Job,
  batch: RemoteBatch,
  collected: CollectedResults,
  now: Date,
): Job {
  return {
    ...bindBatch(job, batch),
    status: forward(job.status, batch.status),
    counts: finalCounts(batch.counts, collected.counts),
    tokens: collected.tokens,
    outputFileIds: batch.outputFileIds,
    result: collected.result,
    message: batch.message ?? job.message,
    expiresAt: batch.expiresAt ?? job.expiresAt,
    endedAt: endOf(job, batch, now),
    modifiedAt: now,
  };
}

/** The job after its provider said that it has no such batch. */
export function endMissing(job: Job, now: Date): Job {
  if (isTerminal(job.status)) return job;
  if (job.missingSince === null) return { ...job, missingSince: now };
  const missingMs = now.getTime() - job.missingSince.getTime();
  if (missingMs < MISSING_MAX_MS) return job;
  return {
    ...job,
    status: "Failed",
    message: "The provider no longer has the batch of this job.",
    endedAt: now,
    modifiedAt: now,
  };
}

/** Providers tell whole seconds; no job ends before it was submitted. */
function endOf(job: Job, batch: RemoteBatch, now: Date): Date {
  const ended = batch.endedAt ?? now;
  return ended < job.submittedAt ? job.submittedAt : ended;
}

/** Joins a job to the batch that bears its id. */
function bindBatch(job: Job, batch: RemoteBatch): Job {
  if (job.batchId !== null && job.submission.state === "accepted") return job;
  const isArn = batch.id.startsWith("arn:");
  return {
    ...job,
    batchId: nativeIdOf(batch),
    // A caller who already holds the gateway's ARN keeps it.
    arn: isArn && !job.arnGiven ? batch.id : job.arn,
    submission: { state: "accepted" },
  };
}

function forward(from: JobStatus, to: JobStatus): JobStatus {
  return mayMove(from, to) ? to : from;
}

function largerCounts(
  before: RecordCounts | null,
  after: RecordCounts | null,
): RecordCounts | null {
  if (before === null || after === null) return after ?? before;
  return {
    total: Math.max(before.total, after.total),
    processed: Math.max(before.processed, after.processed),
    succeeded: Math.max(before.succeeded, after.succeeded),
    failed: Math.max(before.failed, after.failed),
  };
}

/** Lines decide, but records that never got a line still belong to the total. */
function finalCounts(
  reported: RecordCounts | null,
  lines: RecordCounts,
): RecordCounts {
  return { ...lines, total: Math.max(lines.total, reported?.total ?? 0) };
}

function sameProgress(before: Job, after: Job): boolean {
  return before.status === after.status &&
    before.batchId === after.batchId && before.arn === after.arn &&
    before.message === after.message &&
    before.missingSince?.getTime() === after.missingSince?.getTime() &&
    before.outputFileIds.join() === after.outputFileIds.join() &&
    before.submission.state === after.submission.state &&
    before.expiresAt?.getTime() === after.expiresAt?.getTime() &&
    before.counts?.total === after.counts?.total &&
    before.counts?.processed === after.counts?.processed &&
    before.counts?.succeeded === after.counts?.succeeded &&
    before.counts?.failed === after.counts?.failed;
}
