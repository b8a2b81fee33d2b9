import type { Log } from "../../telemetry/log.ts";
import type { InputFiles } from "../files/input_files.ts";
import type { BatchApi, DriverCall } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { ObjectStore } from "../object_store.ts";
import type { ProviderName } from "../provider.ts";
import type { Providers } from "../providers.ts";
import { BoundedBatches } from "./bounded_batches.ts";
import type { Leases } from "./job_leases.ts";
import type { JobStore } from "./job_store.ts";

/** What every part of the jobs domain works with. */
export interface JobDeps {
  readonly store: JobStore;
  readonly providers: Providers;
  readonly inputs: InputFiles;
  /** Null: nothing can rest with the gateway. */
  readonly objects: ObjectStore | null;
  /** Who does what no request drives, where replicas share the state. */
  readonly leases: Leases;
  readonly log: Log;
  readonly now: () => Date;
  readonly timing: JobTiming;
}

export interface JobTiming {
  /** How long one call to a provider may take to start a batch. */
  readonly submitTimeoutMs: number;
  /** How long past that a provider's list may lag behind its batches. */
  readonly settleMarginMs: number;
  /** Within this time one answer of a provider serves every caller. */
  readonly freshMs: number;
  /** How long a caller waits for small results before it sees InProgress. */
  readonly collectWaitMs: number;
  /** How long a repeat waits for the ARN that the provider itself gave. */
  readonly arnWaitMs: number;
}

export const JOB_TIMING: JobTiming = {
  // boto3 gives up after 60 s; the answer should be ours.
  submitTimeoutMs: 50_000,
  settleMarginMs: 120_000,
  freshMs: 1_000,
  collectWaitMs: 5_000,
  arnWaitMs: 5_000,
};

/** The provider's batch API; a clear refusal where there is none. */
export async function batchApi(
  deps: Pick<JobDeps, "providers">,
  provider: ProviderName,
): Promise<BatchApi> {
  const { batches } = await deps.providers.driver(provider);
  if (batches.kind === "none") {
    throw new GatewayError({ kind: "invalid_request" }, batches.reason);
  }
  return new BoundedBatches(batches);
}

/** A provider call of the gateway's own, bounded, tied to no client. */
export function ownCall(timeoutMs: number): DriverCall {
  return {
    requestId: crypto.randomUUID(),
    signal: AbortSignal.timeout(timeoutMs),
  };
}
