import { errorFields, type Log } from "../../telemetry/log.ts";
import type { ProviderName } from "../provider.ts";
import type { JobService } from "./job_service.ts";
import type { JobStore } from "./job_store.ts";

export interface ReconcilerOptions {
  readonly jobs: JobService;
  readonly store: JobStore;
  readonly providers: () => readonly ProviderName[];
  readonly log: Log;
  /** Between two looks at a provider that has open jobs. */
  readonly intervalMs: number;
  /** After failures the pause doubles up to this. */
  readonly pauseMaxMs: number;
}

/** Drives open jobs to their end without any client polling. */
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
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        if (await this.#hasOpenJobs(provider)) {
          await this.#options.jobs.reconcile(provider);
        }
        failures = 0;
      } catch (error) {
        failures++;
        log.warn("reconciling failed", { provider, ...errorFields(error) });
      }
      const pauseMs = Math.min(intervalMs * 2 ** failures, pauseMaxMs);
      // Jitter keeps replicas from asking at the same moment.
      await pause(pauseMs * (0.75 + Math.random() / 2), this.#stop.signal);
    }
  }

  async #hasOpenJobs(provider: ProviderName): Promise<boolean> {
    for await (const _jobId of this.#options.store.listOpen(provider)) {
      return true;
    }
    return false;
  }
}

/** Ends early, and without an error, when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  function finish(): void {
    clearTimeout(timer);
    signal.removeEventListener("abort", finish);
    resolve();
  }
  const timer = setTimeout(finish, ms);
  signal.addEventListener("abort", finish);
  if (signal.aborted) finish();
  return promise;
}
