/** Bedrock's job states; see ModelInvocationJobStatus in the botocore model. */
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

/**
 * The legal moves. A status only ever moves forward; what a provider reports
 * out of order is ignored rather than shown.
 */
const RANK: Record<JobStatus, number> = {
  Submitted: 0,
  Validating: 1,
  Scheduled: 2,
  InProgress: 3,
  Stopping: 4,
  Completed: 5,
  PartiallyCompleted: 5,
  Failed: 5,
  Stopped: 5,
  Expired: 5,
};

export function isTerminal(status: JobStatus): boolean {
  return RANK[status] === RANK.Completed;
}

/** Whether a job in `from` may be shown in `to` next. */
export function mayMove(from: JobStatus, to: JobStatus): boolean {
  return !isTerminal(from) && RANK[to] > RANK[from];
}
