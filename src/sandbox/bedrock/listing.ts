import { Buffer } from "node:buffer";
import { z } from "zod";
import { fit, oneOf, text } from "./constraint.ts";
import { JOB_NAME } from "./create_request.ts";
import { BedrockFailure } from "./failure.ts";
import { type Job, JOB_STATUSES } from "./job.ts";

/** The API names no default; this one makes callers page. */
const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;

const time = z.string().transform((value, context) => {
  // Date.parse takes milliseconds; boto3 sends microseconds.
  const timeMs = Date.parse(value.replace(/(\.[0-9]{3})[0-9]+/, "$1"));
  if (!Number.isNaN(timeMs)) return timeMs;
  context.addIssue("Member must be an ISO 8601 timestamp");
  return z.NEVER;
});

const querySchema = z.object({
  submitTimeAfter: time.optional(),
  submitTimeBefore: time.optional(),
  statusEquals: oneOf(JOB_STATUSES).optional(),
  nameContains: text({ min: 1, max: 63 }, JOB_NAME).optional(),
  maxResults: z.coerce.number()
    .int("Member must be an integer")
    .min(1, "Member must have value greater than or equal to 1")
    .max(PAGE_MAX, `Member must have value less than or equal to ${PAGE_MAX}`)
    .optional(),
  nextToken: text({ min: 1, max: 2048 }, /^\S*$/).optional(),
  sortBy: oneOf(["CreationTime"]).optional(),
  sortOrder: oneOf(["Ascending", "Descending"]).optional(),
});

type ListQuery = z.infer<typeof querySchema>;

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly nextToken: string | null;
}

/**
 * ListModelInvocationJobs, all filters together; newest first unless asked
 * otherwise.
 *
 * @param jobs In order of creation.
 * @throws {BedrockFailure} `ValidationException`.
 */
export function listJobs(
  jobs: readonly Job[],
  search: URLSearchParams,
): JobPage {
  const query = fit(querySchema, Object.fromEntries(search));
  const isAscending = query.sortOrder === "Ascending";
  const ordered = isAscending ? jobs : jobs.toReversed();
  const after = query.nextToken === undefined
    ? null
    : readToken(query.nextToken);
  const found = ordered.filter((job) =>
    fits(job, query) &&
    (after === null ||
      (isAscending ? job.sequence > after : job.sequence < after))
  );
  const page = found.slice(0, query.maxResults ?? PAGE_DEFAULT);
  const last = page.at(-1);
  const isWhole = last === undefined || page.length === found.length;
  return {
    jobs: page,
    nextToken: isWhole ? null : writeToken(last.sequence),
  };
}

function fits(job: Job, query: ListQuery): boolean {
  const { submitTimeAfter, submitTimeBefore, statusEquals } = query;
  return (submitTimeAfter === undefined ||
    job.submitTimeMs > submitTimeAfter) &&
    (submitTimeBefore === undefined ||
      job.submitTimeMs < submitTimeBefore) &&
    (statusEquals === undefined || job.status === statusEquals) &&
    job.request.jobName.includes(query.nameContains ?? "");
}

function writeToken(sequence: number): string {
  return Buffer.from(`after ${sequence}`).toString("base64url");
}

function readToken(token: string): number {
  const plain = Buffer.from(token, "base64url").toString();
  const sequence = /^after ([0-9]{1,15})$/.exec(plain)?.[1];
  if (sequence !== undefined) return Number(sequence);
  throw new BedrockFailure(
    "ValidationException",
    "The provided nextToken is invalid.",
  );
}
