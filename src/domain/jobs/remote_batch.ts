import type { RemoteBatch } from "../driver.ts";

/** What a batch bears of the job that it was started for; see `batchMark`. */
export function markOf(batch: RemoteBatch): string {
  return batch.clientRequestToken ?? batch.jobId ?? "";
}

/** The native id as jobs keep it: of an ARN, the last segment. */
export function nativeIdOf(batch: RemoteBatch): string {
  return batch.id.slice(batch.id.lastIndexOf("/") + 1);
}
