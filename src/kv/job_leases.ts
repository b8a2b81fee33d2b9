import { z } from "zod";
import type { Lease, Leases } from "../domain/jobs/job_leases.ts";
import { JOB_KEYS } from "./job_keys.ts";

export interface KvLeasesOptions {
  /** A lease that was not renewed for so long is up for grabs. */
  readonly timeToLiveMs?: number;
  /** Must never jump; default `performance.now()`. */
  readonly monotonicMs?: () => number;
}

/** Several renewals fit, so that one slow write loses no lease. */
const TIME_TO_LIVE_MS = 10_000;
const RENEWALS_A_LIFE = 4;

/** What nobody renews or releases any more does not stay for ever. */
const FORGOTTEN_AFTER_MS = 24 * 60 * 60_000;

/** Clocks of replicas are this close at worst. */
const CLOCK_SLACK_MS = 5 * 60_000;

const leaseSchema = z.object({ owner: z.string(), renewedAt: z.date() });

type LeaseRecord = z.infer<typeof leaseSchema>;

/** Leases on Deno KV, for replicas that share it. */
export function createKvLeases(
  kv: Deno.Kv,
  options: KvLeasesOptions = {},
): Leases {
  return new KvLeases(kv, options);
}

class KvLeases implements Leases {
  readonly #kv: Deno.Kv;
  readonly #owner = crypto.randomUUID();
  readonly #timeToLiveMs: number;
  readonly #monotonicMs: () => number;
  /** Others' leases as last seen, and since when they have not changed. */
  readonly #seen = new Map<string, { version: string; sinceMs: number }>();

  constructor(kv: Deno.Kv, options: KvLeasesOptions) {
    this.#kv = kv;
    this.#timeToLiveMs = options.timeToLiveMs ?? TIME_TO_LIVE_MS;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  async acquire(name: string): Promise<Lease | null> {
    const entry = await this.#kv.get(JOB_KEYS.lease(name));
    if (entry.versionstamp !== null && !this.#isDead(name, entry)) return null;
    this.#seen.delete(name);
    const version = await this.#write(name, entry.versionstamp);
    if (version === null) return null;
    return new KvLease({
      renew: (held) => this.#write(name, held),
      remove: async (held) => {
        const key = JOB_KEYS.lease(name);
        await this.#kv.atomic().check({ key, versionstamp: held }).delete(key)
          .commit();
      },
      intervalMs: this.#timeToLiveMs / RENEWALS_A_LIFE,
    }, version);
  }

  /**
   * A lease is dead when it has not changed for its time to live as this
   * process measures it: the clocks of two machines need not agree. One that
   * was dead long before is taken without the wait.
   */
  #isDead(name: string, entry: Deno.KvEntry<unknown>): boolean {
    const record = leaseSchema.safeParse(entry.value).data;
    if (record === undefined) return true;
    const ageMs = Date.now() - record.renewedAt.getTime();
    if (ageMs > this.#timeToLiveMs + CLOCK_SLACK_MS) return true;
    const nowMs = this.#monotonicMs();
    const seen = this.#seen.get(name);
    if (seen?.version !== entry.versionstamp) {
      this.#seen.set(name, { version: entry.versionstamp, sinceMs: nowMs });
      return false;
    }
    return nowMs - seen.sinceMs >= this.#timeToLiveMs;
  }

  /** The new version; null where another wrote in between. */
  async #write(name: string, expected: string | null): Promise<string | null> {
    const key = JOB_KEYS.lease(name);
    const record: LeaseRecord = { owner: this.#owner, renewedAt: new Date() };
    const result = await this.#kv.atomic()
      .check({ key, versionstamp: expected })
      .set(key, record, { expireIn: FORGOTTEN_AFTER_MS })
      .commit();
    return result.ok ? result.versionstamp : null;
  }
}

interface LeaseWrites {
  renew(held: string): Promise<string | null>;
  remove(held: string): Promise<void>;
  readonly intervalMs: number;
}

class KvLease implements Lease {
  readonly #writes: LeaseWrites;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Null: lost or released. */
  #version: string | null;
  #renewing: Promise<void> = Promise.resolve();

  constructor(writes: LeaseWrites, version: string) {
    this.#writes = writes;
    this.#version = version;
    this.#timer = setInterval(() => {
      this.#renewing = this.#renewing.then(() => this.#renew());
    }, writes.intervalMs);
  }

  isLost(): boolean {
    return this.#version === null;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    const held = this.#version;
    this.#version = null;
    if (held === null) return;
    // Not removed, it dies by itself.
    await this.#writes.remove(held).catch(() => {});
  }

  async #renew(): Promise<void> {
    if (this.#version === null) return;
    try {
      this.#version = await this.#writes.renew(this.#version);
    } catch {
      // The next renewal comes in time, or another takes over.
      return;
    }
    if (this.#version === null) clearInterval(this.#timer);
  }
}
