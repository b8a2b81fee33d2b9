/**
 * The right to a piece of background work, of which replicas over one state
 * hold each at most one at a time. It only saves work: two that believe to
 * hold the same lease, after a long pause of one of them, harm nothing, since
 * every write that matters is compare-and-set.
 */
export interface Leases {
  /**
   * Null where another holds it. What is not released, because its holder
   * died, falls to whoever asks some seconds later.
   */
  acquire(name: string): Promise<Lease | null>;
}

/** Renews itself until it is released, or lost to another. */
export interface Lease {
  isLost(): boolean;
  /** Idempotent. */
  release(): Promise<void>;
}

const SOLE: Lease = { isLost: () => false, release: () => Promise.resolve() };

/** For the only process over its state: every lease is to be had. */
export function createSoleLeases(): Leases {
  return { acquire: () => Promise.resolve(SOLE) };
}
