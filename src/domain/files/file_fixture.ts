import { createFileIndex } from "../../kv/file_index.ts";
import type { ByteRange, ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type {
  DriverCall,
  FileDraft,
  FileStorage,
  ProviderDriver,
  RemoteFile,
} from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type {
  FileObjects,
  ObjectDraft,
  ObjectHeaders,
  ObjectInfo,
  ObjectListing,
  ResultObjects,
} from "../object.ts";
import type { ObjectStore, StoredObject } from "../object_store.ts";
import type { ProviderName } from "../provider.ts";
import { createFileObjects } from "./file_service.ts";
import type { InputFiles } from "./input_files.ts";
import { compareKeys } from "./key_order.ts";
import type { OwnsFile } from "./naming.ts";

// Test doubles for this folder's tests, and for nothing else.

interface MemoryFile {
  remote: RemoteFile;
  readonly content: Uint8Array;
}

/** A provider's file storage with a provider's semantics, in memory. */
export class MemoryStorage implements FileStorage {
  readonly kind = "files";
  fileBytesMax = 1024 * 1024;
  readonly files = new Map<string, MemoryFile>();
  /** Upstream calls so far, by name. */
  readonly calls = { put: 0, get: 0, list: 0, open: 0, delete: 0 };
  readonly drafts: FileDraft[] = [];
  /** Ids that lists do not show yet. */
  readonly lagging = new Set<string>();
  /** Awaited by every get, list and delete. */
  gate: Promise<void> = Promise.resolve();
  /** What deletions fail with. */
  failure: GatewayError | null = null;
  newFileState: RemoteFile["state"] = "ready";
  readonly #inputsDownloadable: boolean;
  readonly #now: () => Date;
  #count = 0;

  constructor(
    options: { inputsDownloadable: boolean; now: () => Date },
  ) {
    this.#inputsDownloadable = options.inputsDownloadable;
    this.#now = options.now;
  }

  isFileId(text: string): boolean {
    return /^(files\/)?file-[a-z0-9]{4,}$/.test(text);
  }

  async putFile(
    _call: DriverCall,
    draft: FileDraft,
    body: ByteStream,
  ): Promise<RemoteFile> {
    this.calls.put++;
    this.drafts.push(draft);
    const content = await bytesOf(body);
    if (content.length !== draft.sizeBytes) {
      throw new GatewayError({ kind: "incomplete_body" }, "Cut short.");
    }
    return this.add(content, { fileName: draft.fileName });
  }

  /** Puts a file with the provider's own tools. */
  add(content: Uint8Array, facts: Partial<RemoteFile> = {}): RemoteFile {
    this.#count++;
    const purpose = facts.purpose ?? "input";
    const remote: RemoteFile = {
      id: `file-${String(this.#count).padStart(6, "0")}`,
      fileName: "native.jsonl",
      sizeBytes: content.length,
      createdAt: this.#now(),
      expiresAt: null,
      purpose,
      state: this.newFileState,
      downloadable: purpose === "output" || this.#inputsDownloadable,
      ...facts,
    };
    this.files.set(remote.id, { remote, content });
    return remote;
  }

  async getFile(call: DriverCall, fileId: string): Promise<RemoteFile> {
    this.calls.get++;
    await this.gate;
    call.signal.throwIfAborted();
    return this.#required(fileId).remote;
  }

  async *listFiles(_call: DriverCall): AsyncIterable<readonly RemoteFile[]> {
    this.calls.list++;
    const files = [...this.files.values()].map(({ remote }) => remote)
      .filter(({ id }) => !this.lagging.has(id));
    await this.gate;
    for (let i = 0; i < files.length; i += 100) yield files.slice(i, i + 100);
  }

  openFile(_call: DriverCall, fileId: string): Promise<ByteStream> {
    this.calls.open++;
    return Promise.try(() => {
      const { remote, content } = this.#required(fileId);
      if (remote.downloadable) return streamOf(content, 4);
      throw new GatewayError(
        { kind: "invalid_object_state" },
        "Memory does not hand back what was uploaded.",
      );
    });
  }

  async deleteFile(_call: DriverCall, fileId: string): Promise<void> {
    this.calls.delete++;
    await this.gate;
    if (this.failure !== null) throw this.failure;
    this.files.delete(fileId);
  }

  #required(fileId: string): MemoryFile {
    const file = this.files.get(fileId);
    if (file !== undefined) return file;
    throw new GatewayError(
      { kind: "no_such_key", key: fileId },
      `No such file: ${fileId}`,
    );
  }
}

/** An object store in memory. */
export class MemoryStore implements ObjectStore {
  readonly kind = "file";
  readonly objects = new Map<string, Uint8Array>();

  async put(key: string, body: ByteStream): Promise<StoredObject> {
    const content = await bytesOf(body);
    this.objects.set(key, content);
    return { key, sizeBytes: content.length, modifiedAt: new Date() };
  }

  head(key: string): Promise<StoredObject | null> {
    const content = this.objects.get(key);
    if (content === undefined) return Promise.resolve(null);
    const modifiedAt = new Date();
    return Promise.resolve({ key, sizeBytes: content.length, modifiedAt });
  }

  open(key: string, range?: ByteRange): Promise<ByteStream | null> {
    const content = this.objects.get(key);
    if (content === undefined) return Promise.resolve(null);
    const from = range?.offsetBytes ?? 0;
    const to = from + (range?.lengthBytes ?? content.length);
    return Promise.resolve(streamOf(content.subarray(from, to), 4));
  }

  delete(key: string): Promise<void> {
    this.objects.delete(key);
    return Promise.resolve();
  }

  async *list(): AsyncIterable<StoredObject> {}

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Results of one tenant's jobs. */
export class MemoryResults implements ResultObjects {
  readonly objects: { tenant: string; object: ObjectInfo; text: string }[] = [];

  add(tenant: string, bucket: string, key: string, text: string): void {
    const object: ObjectInfo = {
      bucket,
      key,
      etag: "0123456789abcdef0123456789abcdef",
      sizeBytes: text.length,
      modifiedAt: new Date(),
      source: { kind: "job_result", jobId: "abcdefghijkl" },
      headers: NO_HEADERS,
    };
    this.objects.push({ tenant, object, text });
  }

  find(
    call: CallContext,
    _provider: ProviderName,
    bucket: string,
    key: string,
  ): Promise<ObjectInfo | null> {
    const found = this.#of(call, bucket).find((it) => it.object.key === key);
    return Promise.resolve(found?.object ?? null);
  }

  open(_call: CallContext, object: ObjectInfo): Promise<ByteStream> {
    const found = this.objects.find((it) => it.object === object);
    return Promise.resolve(streamOf(utf8(found?.text ?? ""), 4));
  }

  async *list(
    call: CallContext,
    _provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<ObjectInfo> {
    const objects = this.#of(call, page.bucket).map((it) => it.object)
      .filter(({ key }) => key.startsWith(page.prefix))
      .filter(({ key }) => compareKeys(key, page.after) > 0);
    yield* objects.sort((a, b) => compareKeys(a.key, b.key));
  }

  #of(call: CallContext, bucket: string) {
    return this.objects.filter((it) =>
      it.tenant === call.principal.tenant && it.object.bucket === bucket
    );
  }
}

export const NO_HEADERS: ObjectHeaders = {
  contentType: null,
  contentEncoding: null,
  contentDisposition: null,
  contentLanguage: null,
  cacheControl: null,
  expires: null,
  metadata: {},
  checksums: {},
};

export interface FixtureOptions {
  readonly kv?: Deno.Kv;
  readonly storage?: MemoryStorage;
  readonly store?: MemoryStore | null;
  readonly inputsDownloadable?: "yes" | "no";
  readonly ownsFile?: OwnsFile;
}

/** One gateway's file service over in-memory doubles and a real Deno KV. */
export class Fixture implements AsyncDisposable {
  readonly kv: Deno.Kv;
  readonly storage: MemoryStorage;
  readonly store: MemoryStore | null;
  readonly results = new MemoryResults();
  readonly service: FileObjects & InputFiles;
  readonly pauses: number[] = [];
  nowMs = Date.now();
  readonly #ownsKv: boolean;

  static async open(options: FixtureOptions = {}): Promise<Fixture> {
    const kv = options.kv ?? await Deno.openKv(":memory:");
    return new Fixture(kv, options);
  }

  private constructor(kv: Deno.Kv, options: FixtureOptions) {
    const now = () => new Date(this.nowMs);
    this.kv = kv;
    this.#ownsKv = options.kv === undefined;
    this.store = options.store === undefined
      ? new MemoryStore()
      : options.store;
    this.storage = options.storage ?? new MemoryStorage({
      inputsDownloadable: options.inputsDownloadable !== "no",
      now,
    });
    const driver = { ...UNUSED_DRIVER, storage: this.storage };
    this.service = createFileObjects({
      drivers: () => Promise.resolve(driver),
      index: createFileIndex(kv),
      store: this.store,
      results: this.results,
      now,
      pause: (timeMs) => {
        this.pauses.push(timeMs);
        this.nowMs += timeMs;
        return Promise.resolve();
      },
      ...(options.ownsFile === undefined ? {} : { ownsFile: options.ownsFile }),
    });
  }

  /** Puts text as an object; returns the file id. */
  async put(
    key: string,
    text: string,
    options: { call?: CallContext; bucket?: string } & Partial<ObjectDraft> =
      {},
  ): Promise<string> {
    const { call = ADMIN, ...rest } = options;
    const info = await this.service.put(call, "openai", {
      ...draftOf(key, text),
      ...rest,
    });
    return info.etag;
  }

  find(
    key: string,
    options: { call?: CallContext; bucket?: string; ifMatch?: string } = {},
  ): Promise<ObjectInfo> {
    const { call = ADMIN, bucket = "files", ifMatch = null } = options;
    return this.service.find(call, "openai", { bucket, key, ifMatch });
  }

  delete(
    key: string,
    options: { call?: CallContext; bucket?: string; ifMatch?: string } = {},
  ): Promise<void> {
    const { call = ADMIN, bucket = "files", ifMatch = null } = options;
    return this.service.delete(call, "openai", { bucket, key, ifMatch });
  }

  async list(
    options: { call?: CallContext } & Partial<ObjectListing> = {},
  ): Promise<ObjectInfo[]> {
    const { call = ADMIN, ...page } = options;
    return await Array.fromAsync(
      this.service.list(call, "openai", { ...WHOLE_BUCKET, ...page }),
    );
  }

  async keys(
    options: { call?: CallContext } & Partial<ObjectListing> = {},
  ): Promise<string[]> {
    return (await this.list(options)).map(({ key }) => key);
  }

  async read(object: ObjectInfo, range?: ByteRange): Promise<string> {
    const stream = await this.service
      .open(ADMIN, "openai", object, range ?? null);
    return await textOf(stream);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#ownsKv) this.kv.close();
    return Promise.resolve();
  }
}

const WHOLE_BUCKET: ObjectListing = { bucket: "files", prefix: "", after: "" };

const UNUSED_DRIVER = {
  provider: "openai",
  batches: { kind: "none", reason: "not part of the fixture" },
  models: {
    listModels: () => Promise.resolve([]),
    getModel: () => Promise.reject(new Error("not part of the fixture")),
  },
  probe: () => Promise.resolve(),
  close: () => {},
} as const satisfies Omit<ProviderDriver, "storage">;

export function callOf(
  tenant: string,
  role: "admin" | "user" = "user",
): CallContext {
  return {
    requestId: crypto.randomUUID(),
    principal: {
      tenant,
      accessKeyId: `key-of-${tenant}`,
      admin: role === "admin",
      providers: null,
      defaultProvider: null,
      buckets: [],
    },
    signal: new AbortController().signal,
    region: "us-east-1",
  };
}

export const ADMIN: CallContext = callOf("operators", "admin");

export function draftOf(key: string, text: string): ObjectDraft {
  const content = utf8(text);
  return {
    bucket: "files",
    key,
    headers: NO_HEADERS,
    body: { stream: streamOf(content, 16), sizeBytes: content.length },
    condition: { absent: false, etag: null },
  };
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A stream that hands `content` out in chunks, on demand. */
export function streamOf(content: Uint8Array, chunkBytes: number): ByteStream {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= content.length) return controller.close();
      controller.enqueue(content.slice(at, at + chunkBytes));
      at += chunkBytes;
    },
  }, { highWaterMark: 0 });
}

export async function bytesOf(stream: ByteStream): Promise<Uint8Array> {
  const chunks = await Array.fromAsync(stream);
  return new Uint8Array(await new Blob(chunks.map((it) => it.slice())).bytes());
}

export async function textOf(stream: ByteStream): Promise<string> {
  return new TextDecoder().decode(await bytesOf(stream));
}

/** The failure kind that a promise rejects with; "none" where it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    if (error instanceof GatewayError) return error.failure.kind;
    throw error;
  }
}
