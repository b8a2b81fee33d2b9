import { createDigest } from "../../auth/digest.ts";
import { createFileIndex } from "../../kv/file_index.ts";
import { createUploadIndex } from "../../kv/upload_index.ts";
import { openFileObjectStore } from "../../object_store/file_store.ts";
import type { CallContext } from "../context.ts";
import {
  ADMIN,
  bytesOf,
  MemoryResults,
  MemoryStorage,
  NO_HEADERS,
  streamOf,
  utf8,
} from "../files/file_fixture.ts";
import {
  createFileObjects,
  type FileServiceSurface,
} from "../files/file_service.ts";
import type { ObjectInfo } from "../object.ts";
import type { ObjectStore } from "../object_store.ts";
import {
  type CompletedUpload,
  type CompletionOrder,
  PART_BYTES_MIN,
  type UploadDraft,
  type UploadName,
  type UploadPart,
} from "./upload.ts";
import type { UploadIndex } from "./upload_index.ts";
import { type UploadLimits, UploadService } from "./upload_service.ts";

// Test doubles for this folder's tests, and for nothing else.

export const RECORD =
  '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';

/** A first part that is just large enough, and begins with a record. */
export const FIRST: Uint8Array = firstPart();
export const LAST: Uint8Array = utf8(RECORD);

function firstPart(): Uint8Array {
  const bytes = new Uint8Array(PART_BYTES_MIN).fill(10);
  bytes.set(utf8(RECORD));
  return bytes;
}

/** One gateway process; several may share what `Shared` holds. */
export interface Process {
  readonly uploads: UploadService;
  readonly files: FileServiceSurface;
}

export interface ProcessOptions {
  readonly limits?: Partial<UploadLimits>;
  readonly storage?: MemoryStorage;
  readonly index?: UploadIndex;
  readonly store?: ObjectStore | null;
}

/** What outlives a process: state, object store and provider. */
export class Fixture implements AsyncDisposable {
  readonly kv: Deno.Kv;
  readonly index: UploadIndex;
  readonly store: ObjectStore;
  readonly storage: MemoryStorage;
  readonly results = new MemoryResults();
  readonly process: Process;
  readonly #folder: string;
  nowMs = Date.now();

  static async open(options: ProcessOptions = {}): Promise<Fixture> {
    const folder = await Deno.makeTempDir({ prefix: "finops-uploads-" });
    const store = await openFileObjectStore({ directory: folder });
    const kv = await Deno.openKv(":memory:");
    return new Fixture(kv, store, folder, options);
  }

  private constructor(
    kv: Deno.Kv,
    store: ObjectStore,
    folder: string,
    options: ProcessOptions,
  ) {
    this.kv = kv;
    this.store = store;
    this.#folder = folder;
    this.index = createUploadIndex(kv);
    this.storage = options.storage ?? new MemoryStorage({
      inputsDownloadable: true,
      now: () => new Date(this.nowMs),
    });
    this.storage.fileBytesMax = 64 * 1024 * 1024;
    this.process = this.start(options);
  }

  get uploads(): UploadService {
    return this.process.uploads;
  }

  /** Another process over the same state. */
  start(options: ProcessOptions = {}): Process {
    const storage = options.storage ?? this.storage;
    const store = options.store === undefined ? this.store : options.store;
    const now = () => new Date(this.nowMs);
    const fileIndex = createFileIndex(this.kv);
    const driver = {
      provider: "openai",
      storage,
      batches: { kind: "none", reason: "" },
      models: {
        listModels: () => Promise.resolve([]),
        getModel: () => Promise.reject(new Error("not played")),
      },
      probe: () => Promise.resolve(),
      close: () => {},
    } as const;
    const files = createFileObjects({
      drivers: () => Promise.resolve(driver),
      index: fileIndex,
      store,
      results: this.results,
      now,
      pause: () => Promise.resolve(),
    });
    const uploads = new UploadService({
      index: options.index ?? this.index,
      fileIndex,
      files: files.writer,
      store,
      createSum: createDigest,
      now,
      pause: (timeMs) => this.#pass(timeMs),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    return { uploads, files };
  }

  /** Waiting moves the clock; others get their turn, too. */
  async #pass(timeMs: number): Promise<void> {
    this.nowMs += timeMs;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async create(
    options: { call?: CallContext } & Partial<UploadDraft> = {},
  ): Promise<UploadName> {
    const { call = ADMIN, ...draft } = options;
    return await this.uploads.create(call, "openai", {
      bucket: "files",
      key: "in/a.jsonl",
      headers: NO_HEADERS,
      checksum: null,
      ...draft,
    });
  }

  put(
    name: UploadName,
    partNumber: number,
    content: Uint8Array | string,
    options: { call?: CallContext; process?: Process } = {},
  ): Promise<UploadPart> {
    const { call = ADMIN, process = this.process } = options;
    const bytes = typeof content === "string" ? utf8(content) : content;
    return process.uploads.putPart(call, "openai", name, {
      partNumber,
      body: { stream: streamOf(bytes, 65_536), sizeBytes: bytes.length },
      checksums: {},
    });
  }

  complete(
    name: UploadName,
    parts: readonly UploadPart[],
    options:
      & { call?: CallContext; process?: Process }
      & Partial<
        CompletionOrder
      > = {},
  ): Promise<CompletedUpload> {
    const { call = ADMIN, process = this.process, ...order } = options;
    return process.uploads
      .complete(call, "openai", name, { ...orderOf(parts), ...order });
  }

  find(key = "in/a.jsonl", call: CallContext = ADMIN): Promise<ObjectInfo> {
    return this.process.files
      .find(call, "openai", { bucket: "files", key, ifMatch: null });
  }

  async read(object: ObjectInfo): Promise<Uint8Array> {
    const remote = this.storage.files.get(object.etag);
    if (remote !== undefined) return remote.content;
    return await bytesOf(
      await this.process.files.open(ADMIN, "openai", object, null),
    );
  }

  /** Every key in the object store. */
  async stored(): Promise<string[]> {
    const objects = await Array.fromAsync(this.store.list(""));
    return objects.map(({ key }) => key);
  }

  /** The provider's file names. */
  remoteNames(): string[] {
    return [...this.storage.files.values()]
      .map(({ remote }) => remote.fileName ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.uploads.drain();
    this.kv.close();
    await this.store.close();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

export function orderOf(parts: readonly UploadPart[]): CompletionOrder {
  return {
    parts: parts.map(({ partNumber, etag, checksums }) => ({
      partNumber,
      etag,
      checksums,
    })),
    condition: { absent: false, etag: null },
    sizeBytes: null,
    checksum: null,
  };
}

/** An upload with one small part. */
export async function smallUpload(
  fixture: Fixture,
  options: { call?: CallContext } & Partial<UploadDraft> = {},
): Promise<{ name: UploadName; parts: UploadPart[] }> {
  const name = await fixture.create(options);
  const { call = ADMIN } = options;
  return { name, parts: [await fixture.put(name, 1, LAST, { call })] };
}
