import { createHash } from "node:crypto";
import { z } from "zod";
import { SortedKeys } from "./key_order.ts";

const objectSchema = z.object({
  key: z.string(),
  sizeBytes: z.number(),
  /** Hex, unquoted. */
  etag: z.string(),
  /** Whole seconds, as HTTP dates tell them. */
  modifiedAtMs: z.number(),
  /** Answer headers kept from the upload: content type, x-amz-meta-*… */
  headers: z.record(z.string(), z.string()),
  checksum: z.object({
    algorithm: z.enum(["crc32", "crc32c", "sha1", "sha256"]),
    value: z.string(),
    type: z.enum(["FULL_OBJECT", "COMPOSITE"]),
  }).nullable(),
  /** null unless the object came in parts. */
  partSizes: z.array(z.number()).nullable(),
  /** The name of the file with the bytes. */
  body: z.string(),
});

export type StoredObject = z.infer<typeof objectSchema>;

const bucketSchema = z.object({
  createdAtMs: z.number(),
  region: z.string(),
});

/**
 * One bucket in one folder: `objects/<sha256 of the key>.json` describes an
 * object, `bodies/<random>` has its bytes. Names on disk come from a hash, so
 * that no key can point outside. The index rests in memory; what changes it is
 * synchronous, so two requests never see half of a change.
 */
export class Bucket {
  readonly name: string;
  readonly createdAtMs: number;
  readonly region: string;
  readonly #dir: string;
  readonly #objects = new Map<string, StoredObject>();
  readonly #keys = new SortedKeys();

  private constructor(
    name: string,
    dir: string,
    settings: z.infer<typeof bucketSchema>,
  ) {
    this.name = name;
    this.#dir = dir;
    this.createdAtMs = settings.createdAtMs;
    this.region = settings.region;
  }

  static create(name: string, dir: string, region: string): Bucket {
    for (const folder of ["objects", "bodies"]) {
      Deno.mkdirSync(`${dir}/${folder}`, { recursive: true });
    }
    const settings = { createdAtMs: Date.now(), region };
    writeJson(`${dir}/bucket.json`, settings);
    return new Bucket(name, dir, settings);
  }

  /** Reads a bucket that an earlier run left. */
  static open(name: string, dir: string): Bucket {
    const settings = bucketSchema.parse(readJson(`${dir}/bucket.json`));
    const bucket = new Bucket(name, dir, settings);
    for (const entry of Deno.readDirSync(`${dir}/objects`)) {
      if (!entry.name.endsWith(".json")) continue;
      const path = `${dir}/objects/${entry.name}`;
      bucket.#index(objectSchema.parse(readJson(path)));
    }
    bucket.#sweepBodies();
    return bucket;
  }

  get keys(): SortedKeys {
    return this.#keys;
  }

  find(key: string): StoredObject | null {
    return this.#objects.get(key) ?? null;
  }

  /** A name for a new file of bytes; `put` or `discard` decides its fate. */
  newBody(): string {
    return crypto.randomUUID();
  }

  pathOf(body: string): string {
    return `${this.#dir}/bodies/${body}`;
  }

  /** Makes an object visible, its bytes being complete in `object.body`. */
  put(object: StoredObject): void {
    const old = this.find(object.key);
    writeJson(this.#describingPath(object.key), object);
    this.#index(object);
    if (old !== null) this.discard(old.body);
  }

  remove(key: string): void {
    const old = this.find(key);
    if (old === null) return;
    this.#objects.delete(key);
    this.#keys.remove(key);
    Deno.removeSync(this.#describingPath(key));
    this.discard(old.body);
  }

  /** Readers that have the file open keep reading it. */
  discard(body: string): void {
    try {
      Deno.removeSync(this.pathOf(body));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #index(object: StoredObject): void {
    this.#objects.set(object.key, object);
    this.#keys.add(object.key);
  }

  #describingPath(key: string): string {
    const name = createHash("sha256").update(key).digest("hex");
    return `${this.#dir}/objects/${name}.json`;
  }

  /** Files without an object are uploads that a kill cut short. */
  #sweepBodies(): void {
    const known = new Set([...this.#objects.values()].map(({ body }) => body));
    for (const entry of Deno.readDirSync(`${this.#dir}/bodies`)) {
      if (!known.has(entry.name)) this.discard(entry.name);
    }
  }
}

function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  Deno.writeTextFileSync(temporary, JSON.stringify(value));
  Deno.renameSync(temporary, path);
}

function readJson(path: string): unknown {
  return JSON.parse(Deno.readTextFileSync(path));
}
