import { errorFields } from "../../telemetry/log.ts";
import type { Versioned } from "../versioned.ts";
import type { Job } from "./job.ts";
import type { JobDeps } from "./job_deps.ts";
import type { JobSubmission } from "./job_submission.ts";

/** A job that could not be handed over for so long, so often tried, fails. */
const INTENT_LIFE_MS = 24 * 60 * 60_000;
const ATTEMPT_MAX = 10;

/**
 * How far the clocks of gateway and provider may lie apart where the age of
 * batches decides how much of a list is read.
 */
export const CLOCK_SLACK_MS = 15 * 60_000;

/** How much of a provider's list one sweep has read. */
export interface ListReading {
  /** When the reading began. */
  readonly startedAt: Date;
  /** The oldest batch read; null: the list was read to its end. */
  readonly reachedAt: Date | null;
}

/** A list tells nothing yet about a job whose call may still be under way. */
export function isOverdue(
  job: Job,
  now: Date,
  settleMarginMs: number,
): boolean {
  const { submission } = job;
  return submission.state === "sending" && submission.missedAt !== null &&
    submission.missedAt.getTime() + settleMarginMs <= now.getTime();
}

/**
 * Decides what becomes of jobs whose batch the provider's list did not show.
 *
 * A job counts as not started only when two lists, of which the second was
 * begun the whole margin after the first, lack its batch although its call
 * was over. The first one's time is recorded, so that the margin passes by the
 * clock of whoever reads lists, however wrong the clock of the process was
 * that wrote the deadline.
 */
export class JobSettlement {
  readonly #deps: JobDeps;
  readonly #submission: JobSubmission;

  constructor(deps: JobDeps, submission: JobSubmission) {
    this.#deps = deps;
    this.#submission = submission;
  }

  /** One job's trouble does not keep the others from being settled. */
  async settle(
    unseen: readonly Versioned<Job>[],
    reading: ListReading,
  ): Promise<void> {
    for (const job of unseen) {
      try {
        if (await this.#settleOne(job, reading) === "rest") return;
      } catch (error) {
        this.#deps.log.warn("job not settled", {
          jobId: job.value.id,
          ...errorFields(error),
        });
      }
    }
  }

  async #settleOne(
    stale: Versioned<Job>,
    reading: ListReading,
  ): Promise<"go_on" | "rest"> {
    const { submission } = stale.value;
    switch (submission.state) {
      case "accepted":
      case "withdrawn":
        return "go_on";
      case "unsent":
        if (reading.startedAt < submission.retryAt) return "go_on";
        return await this.#send(stale);
      case "sending":
        if (reading.startedAt < submission.deadlineAt) return "go_on";
        if (submission.missedAt === null) {
          const missedAt = reading.startedAt;
          await this.#deps.store.update(stale, {
            ...stale.value,
            submission: { ...submission, missedAt },
          });
          return "go_on";
        }
        if (!this.#isProven(stale.value, reading)) return "go_on";
        this.#deps.log.info("job settled as not started", {
          jobId: stale.value.id,
        });
        return await this.#send(stale);
    }
  }

  #isProven(job: Job, { startedAt, reachedAt }: ListReading): boolean {
    const { settleMarginMs } = this.#deps.timing;
    if (!isOverdue(job, startedAt, settleMarginMs)) return false;
    return reachedAt === null ||
      reachedAt.getTime() < job.submittedAt.getTime() - CLOCK_SLACK_MS;
  }

  /** Nothing of the job is with the provider: it is sent, or it ends. */
  async #send(stale: Versioned<Job>): Promise<"go_on" | "rest"> {
    const { stopRequested } = stale.value;
    if (stopRequested) await this.#withdraw(stale, "Stopped", null);
    else if (hasExpired(stale.value, this.#deps.now())) {
      const why = `The provider did not take the job in ${ATTEMPT_MAX} ` +
        `attempts and ${INTENT_LIFE_MS / 3_600_000} hours.`;
      await this.#withdraw(stale, "Failed", why);
    } else return await this.#submission.resend(stale);
    return "go_on";
  }

  /** By compare-and-set: whoever sends the job meanwhile has the say. */
  async #withdraw(
    stale: Versioned<Job>,
    status: "Stopped" | "Failed",
    message: string | null,
  ): Promise<void> {
    const now = this.#deps.now();
    await this.#deps.store.update(stale, {
      ...stale.value,
      status,
      message,
      submission: { state: "withdrawn" },
      modifiedAt: now,
      endedAt: now,
    });
  }
}

/** A gateway that was down for long has not tried, so age alone is not it. */
function hasExpired({ submission, submittedAt }: Job, now: Date): boolean {
  return "attempt" in submission && submission.attempt >= ATTEMPT_MAX &&
    now.getTime() - submittedAt.getTime() > INTENT_LIFE_MS;
}
