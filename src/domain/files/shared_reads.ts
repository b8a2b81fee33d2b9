import type { DriverCall } from "../driver.ts";

interface Read<T> {
  readonly key: string;
  readonly startedAtMs: number;
  readonly result: Promise<T>;
  readonly controller: AbortController;
  settled: boolean;
  readerCount: number;
}

export interface SharedReadsOptions {
  /** Counted from the start of a read, so that no answer is older than that. */
  readonly ageMaxMs: number;
  readonly entriesMax: number;
  readonly now: () => Date;
}

/**
 * Reads that many callers share: at most one at a time for a key, its answer
 * kept for a moment. A read goes on while anyone waits for it; failures are
 * not kept.
 */
export class SharedReads<T> {
  readonly #options: SharedReadsOptions;
  readonly #reads = new Map<string, Read<T>>();

  constructor(options: SharedReadsOptions) {
    this.#options = options;
  }

  /** A fresh answer for `key`; rejects with what `load` rejects with. */
  async get(
    key: string,
    call: DriverCall,
    load: (call: DriverCall) => Promise<T>,
  ): Promise<T> {
    const running = this.#reads.get(key);
    if (
      running !== undefined && !running.settled && !this.#isFresh(running)
    ) {
      // Its answer would be too old, but a second read beside it would only
      // slow both down: one starts when this one ends.
      const ended = running.result.then(() => {}, () => {});
      await this.#join(running, ended, call.signal);
    }
    let read = this.#reads.get(key);
    if (read === undefined || !this.#isFresh(read)) {
      read = this.#start(key, call, load);
    }
    return await this.#join(read, read.result, call.signal);
  }

  /** Lets `value` answer for `key`, as if it had just been read. */
  set(key: string, value: T): void {
    this.#keep({
      key,
      startedAtMs: this.#options.now().getTime(),
      result: Promise.resolve(value),
      controller: new AbortController(),
      settled: true,
      readerCount: 0,
    });
  }

  /** The next caller reads anew, even where a read is under way. */
  delete(key: string): void {
    this.#reads.delete(key);
  }

  #isFresh(read: Read<T>): boolean {
    const ageMs = this.#options.now().getTime() - read.startedAtMs;
    // A clock that was set back makes no answer young again.
    return ageMs >= 0 && ageMs < this.#options.ageMaxMs;
  }

  #start(
    key: string,
    call: DriverCall,
    load: (call: DriverCall) => Promise<T>,
  ): Read<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const read: Read<T> = {
      key,
      startedAtMs: this.#options.now().getTime(),
      result: load({ requestId: call.requestId, signal }),
      controller,
      settled: false,
      readerCount: 0,
    };
    const settle = () => read.settled = true;
    read.result.then(settle, () => {
      settle();
      this.#drop(read);
    });
    this.#keep(read);
    return read;
  }

  #keep(read: Read<T>): void {
    this.#reads.delete(read.key);
    this.#reads.set(read.key, read);
    for (const oldest of this.#reads.keys()) {
      if (this.#reads.size <= this.#options.entriesMax) return;
      this.#reads.delete(oldest);
    }
  }

  #drop(read: Read<T>): void {
    if (this.#reads.get(read.key) === read) this.#reads.delete(read.key);
  }

  /** Waits as one of the read's readers; the last to leave ends the read. */
  async #join<R>(
    read: Read<T>,
    outcome: Promise<R>,
    signal: AbortSignal,
  ): Promise<R> {
    read.readerCount++;
    try {
      return await orAborted(outcome, signal);
    } finally {
      read.readerCount--;
      if (read.readerCount === 0 && !read.settled) {
        this.#drop(read);
        read.controller.abort(signal.reason);
      }
    }
  }
}

/** Settles as `promise` does, or rejects as soon as `signal` is aborted. */
async function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
