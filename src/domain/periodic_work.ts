import { errorFields, type Log } from "../telemetry/log.ts";
import { pause } from "./pause.ts";

/** Work that is done again and again, whoever calls, such as a sweep. */
export class PeriodicWork {
  readonly #stop = new AbortController();
  readonly #name: string;
  readonly #intervalMs: number;
  readonly #work: () => Promise<void>;
  readonly #log: Log;
  #loop: Promise<void> | null = null;

  constructor(options: {
    /** For the log. */
    readonly name: string;
    readonly intervalMs: number;
    work(): Promise<void>;
    readonly log: Log;
  }) {
    this.#name = options.name;
    this.#intervalMs = options.intervalMs;
    this.#work = options.work;
    this.#log = options.log;
  }

  /** The first round begins after one interval. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when no round is at work any more. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // Jitter keeps replicas from working at the same moment.
      const waitMs = this.#intervalMs * (0.75 + Math.random() / 2);
      await pause(waitMs, signal).catch(() => {});
      if (signal.aborted) return;
      await this.#work().catch((error) =>
        this.#log.warn("periodic work failed", {
          work: this.#name,
          ...errorFields(error),
        })
      );
    }
  }
}
