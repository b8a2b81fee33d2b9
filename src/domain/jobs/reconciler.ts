import { errorFields, type Log } from "../../telemetry/log.ts";
import type { ProviderName } from "../provider.ts";
import { GatewayError } from "../failure.ts";
import { pause } from "../pause.ts";
import type { Lease, Leases } from "./job_leases.ts";
import type { JobService } from "./job_service.ts";
import type { JobStore } from "./job_store.ts";

export interface ReconcilerOptions {
  readonly jobs: Pick<JobService, "reconcile">;
  readonly store: JobStore;
  readonly leases: Leases;
  readonly providers: () => readonly ProviderName[];
  readonly log: Log;
  /** Between two looks at a provider that has open jobs. */
  readonly intervalMs: number;
  /** After failures the pause doubles up to this. */
  readonly pauseMaxMs: number;
}

/**
 * Drives open jobs to their end without any client polling. Of the replicas
 * over one state, one at a time looks at a provider.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #stop = new AbortController();
  #loops: Promise<void>[] = [];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** One loop a provider, so that a slow one delays no other. */
  start(): void {
    this.#loops = this.#options.providers().map((name) => this.#drive(name));
  }

  /** Resolves when no loop is at work any more. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async #drive(provider: ProviderName): Promise<void> {
    const { intervalMs, pauseMaxMs, log } = this.#options;
    const turn = new Turn(this.#options.leases, `sweep/${provider}`);
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      let waitMs = 0;
      try {
        await this.#look(provider, turn);
        failures = 0;
      } catch (error) {
        failures++;
        waitMs = namedWaitMs(error);
        log.warn("reconciling failed", { provider, ...errorFields(error) });
      }
      const backOffMs = Math.min(intervalMs * 2 ** failures, pauseMaxMs);
      // Jitter keeps replicas from asking at the same moment.
      const pauseMs = backOffMs * (0.75 + Math.random() / 2);
      await pause(Math.max(pauseMs, waitMs), this.#stop.signal).catch(() => {});
    }
    await turn.end();
  }

  /** Nothing is asked, and nothing written, where there is nothing to do. */
  async #look(provider: ProviderName, turn: Turn): Promise<void> {
    if (!await this.#hasOpenJobs(provider)) return await turn.end();
    if (await turn.isOurs()) await this.#options.jobs.reconcile(provider);
  }

  async #hasOpenJobs(provider: ProviderName): Promise<boolean> {
    for await (const _jobId of this.#options.store.listOpen(provider)) {
      return true;
    }
    return false;
  }
}

/** A replica's turn at a piece of work, kept for as long as there is some. */
class Turn {
  readonly #leases: Leases;
  readonly #name: string;
  #lease: Lease | null = null;

  constructor(leases: Leases, name: string) {
    this.#leases = leases;
    this.#name = name;
  }

  async isOurs(): Promise<boolean> {
    if (this.#lease?.isLost() === true) this.#lease = null;
    this.#lease ??= await this.#leases.acquire(this.#name);
    return this.#lease !== null;
  }

  async end(): Promise<void> {
    const lease = this.#lease;
    this.#lease = null;
    await lease?.release();
  }
}

/** How long the provider itself asked to be left alone. */
function namedWaitMs(error: unknown): number {
  const failure = error instanceof GatewayError ? error.failure : null;
  return failure?.kind === "rate_limited" ? failure.retryAfterMs ?? 0 : 0;
}
