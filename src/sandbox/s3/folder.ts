import { Bucket } from "./bucket.ts";
import { noSuchBucket, S3Failure } from "./failure.ts";
import { compareKeys } from "./key_order.ts";
import { Uploads } from "./uploads.ts";

/** S3's rules for a bucket's name, as far as path style needs them. */
const BUCKET_NAME = /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** All buckets, in one folder on disk, and the unfinished uploads. */
export class S3Folder {
  readonly uploads = new Uploads();
  readonly #dir: string;
  readonly #buckets = new Map<string, Bucket>();

  /** Reads what an earlier run left in `dir`. */
  constructor(dir: string) {
    this.#dir = dir;
    Deno.mkdirSync(dir, { recursive: true });
    for (const entry of Deno.readDirSync(dir)) {
      if (!entry.isDirectory) continue;
      const bucket = Bucket.open(entry.name, `${dir}/${entry.name}`);
      this.#buckets.set(entry.name, bucket);
    }
  }

  has(name: string): boolean {
    return this.#buckets.has(name);
  }

  /** @throws {S3Failure} `NoSuchBucket`. */
  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw noSuchBucket(name);
    return bucket;
  }

  /** By name, in S3's order. */
  list(): Bucket[] {
    const buckets = [...this.#buckets.values()];
    return buckets.sort((a, b) => compareKeys(a.name, b.name));
  }

  /** @throws {S3Failure} `InvalidBucketName`, `BucketAlreadyOwnedByYou`. */
  create(name: string, region: string): void {
    if (!BUCKET_NAME.test(name)) {
      throw new S3Failure(
        "InvalidBucketName",
        "The specified bucket is not valid.",
        { details: { BucketName: name } },
      );
    }
    if (this.has(name)) {
      throw new S3Failure(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
        { details: { BucketName: name } },
      );
    }
    const dir = `${this.#dir}/${name}`;
    this.#buckets.set(name, Bucket.create(name, dir, region));
  }

  /** @throws {S3Failure} `NoSuchBucket`, `BucketNotEmpty`. */
  remove(name: string): void {
    if (this.bucket(name).keys.size > 0) {
      throw new S3Failure(
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
        { details: { BucketName: name } },
      );
    }
    this.uploads.forgetBucket(name);
    this.#buckets.delete(name);
    Deno.removeSync(`${this.#dir}/${name}`, { recursive: true });
  }
}
