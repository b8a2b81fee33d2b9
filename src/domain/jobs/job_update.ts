import { GatewayError } from "../failure.ts";
import type { Versioned } from "../versioned.ts";
import type { Job } from "./job.ts";
import type { JobStore } from "./job_store.ts";

/** More writers than this at one job at one moment is a bug, not a race. */
const ATTEMPT_MAX = 10;

/**
 * Applies `change` to the job as it is now, by compare-and-set, again and
 * again until no other writer was faster. A change that returns the same
 * object writes nothing.
 *
 * @throws {GatewayError} `no_such_job` where it is gone, `write_conflict`
 * after too many lost races.
 */
export async function updateJob(
  store: JobStore,
  jobId: string,
  change: (job: Job) => Job,
): Promise<Versioned<Job>> {
  for (let attempt = 1; attempt <= ATTEMPT_MAX; attempt++) {
    const current = await store.get(jobId);
    if (current === null) throw noSuchJob(jobId);
    const next = change(current.value);
    if (next === current.value) return current;
    const written = await store.update(current, next);
    if (written !== null) return written;
  }
  throw new GatewayError(
    { kind: "write_conflict" },
    `Job ${jobId} is being changed by others; try again.`,
  );
}

export function noSuchJob(identifier: string): GatewayError {
  return new GatewayError(
    { kind: "no_such_job", jobId: identifier },
    `The model invocation job "${identifier}" does not exist.`,
  );
}
