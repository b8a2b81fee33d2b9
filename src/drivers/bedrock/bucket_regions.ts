/** Buckets beyond this many push out the ones that were learnt first. */
const BUCKETS_MAX = 1_000;

/**
 * Where buckets are, as S3 told with a redirect: S3 names a bucket's region
 * in `x-amz-bucket-region` wherever it is asked in another one.
 */
export class BucketRegions {
  readonly #home: string;
  readonly #learnt = new Map<string, string>();

  /** @param home The region of buckets about which nothing was learnt. */
  constructor(home: string) {
    this.#home = home;
  }

  find(bucket: string | null): string {
    return (bucket === null ? undefined : this.#learnt.get(bucket)) ??
      this.#home;
  }

  learn(bucket: string, region: string): void {
    this.#learnt.delete(bucket);
    this.#learnt.set(bucket, region);
    if (this.#learnt.size <= BUCKETS_MAX) return;
    const [oldest] = this.#learnt.keys();
    if (oldest !== undefined) this.#learnt.delete(oldest);
  }
}
