import { GatewayError } from "../failure.ts";
import type { PutCondition } from "../object.ts";
import { noSuchKey } from "./object_view.ts";

/**
 * PutObject's If-None-Match and If-Match, as in the S3 API Reference, against
 * the ETag of what is there now.
 *
 * @throws {GatewayError} `precondition_failed`; `no_such_key` where If-Match
 * meets nothing.
 */
export function checkCondition(
  { absent, etag }: PutCondition,
  current: string | null,
  key: string,
): void {
  if (absent && current !== null) throw preconditionFailed("If-None-Match");
  if (etag === null) return;
  if (current === null) throw noSuchKey(key);
  if (etag !== "*" && etag !== current) throw preconditionFailed("If-Match");
}

export function preconditionFailed(condition: string): GatewayError {
  return new GatewayError(
    { kind: "precondition_failed", condition },
    "At least one of the pre-conditions you specified did not hold",
  );
}

/** The answer to a write over a read-only object. */
export function resultsAreReadOnly(key: string): GatewayError {
  return new GatewayError(
    { kind: "access_denied" },
    `"${key}" holds a job's results, which can only be read.`,
  );
}
