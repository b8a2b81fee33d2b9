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

const ENDS = [
  "Completed",
  "PartiallyCompleted",
  "Failed",
  "Stopped",
  "Expired",
] as const satisfies readonly JobStatus[];

/**
 * Every legal move, and there is no other. A status only ever moves forward;
 * what a provider reports out of order is ignored rather than shown. Stages
 * may be skipped, since nobody looks at a batch all the time.
 */
const MOVES: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  Submitted: ["Validating", "Scheduled", "InProgress", "Stopping", ...ENDS],
  Validating: ["Scheduled", "InProgress", "Stopping", ...ENDS],
  Scheduled: ["InProgress", "Stopping", ...ENDS],
  InProgress: ["Stopping", ...ENDS],
  // A batch may still reach its own end before the stop does.
  Stopping: ENDS,
  Completed: [],
  PartiallyCompleted: [],
  Failed: [],
  Stopped: [],
  Expired: [],
};

export function isTerminal(status: JobStatus): boolean {
  return MOVES[status].length === 0;
}

/** Whether a job in `from` may be shown in `to` next. */
export function mayMove(from: JobStatus, to: JobStatus): boolean {
  return MOVES[from].includes(to);
}
