/** A stored value with the version that a compare-and-set must name. */
export interface Versioned<T> {
  readonly value: T;
  readonly version: string;
}
