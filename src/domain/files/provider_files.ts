import type { DriverCall, FileStorage, RemoteFile } from "../driver.ts";
import type { ProviderDriver } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { ProviderName } from "../provider.ts";
import type { FileIdPage, FileIndex } from "./file_index.ts";
import { compareKeys } from "./key_order.ts";
import { SharedReads } from "./shared_reads.ts";

/** With a second for the call itself, native changes are seen within two. */
const ANSWER_AGE_MAX_MS = 1000;

const ANSWERS_MAX = 10_000;

/** Far above any account seen; a bound on memory. */
const FILES_MAX = 1_000_000;

export interface ProviderFilesDeps {
  readonly drivers: (provider: ProviderName) => Promise<ProviderDriver>;
  readonly index: FileIndex;
  readonly now: () => Date;
}

/**
 * What the providers say of their files, through a cache of at most one
 * second: many callers cause one upstream read.
 */
export class ProviderFiles {
  readonly #deps: ProviderFilesDeps;
  /** By provider and file id; null: the provider has no such file. */
  readonly #files: SharedReads<RemoteFile | null>;
  readonly #snapshots: SharedReads<FileSnapshot>;

  constructor(deps: ProviderFilesDeps) {
    this.#deps = deps;
    const options = { ageMaxMs: ANSWER_AGE_MAX_MS, now: deps.now };
    this.#files = new SharedReads({ ...options, entriesMax: ANSWERS_MAX });
    this.#snapshots = new SharedReads({ ...options, entriesMax: 4 });
  }

  /** Rejects with `unsupported` where the provider stores no files. */
  async storage(provider: ProviderName): Promise<FileStorage> {
    const { storage } = await this.#deps.drivers(provider);
    if (storage.kind === "files") return storage;
    throw new GatewayError(
      { kind: "unsupported" },
      storage.kind === "none"
        ? storage.reason
        : `The provider "${provider}" stores objects, not files.`,
    );
  }

  /** Null where the provider has no such file (any more). */
  get(
    call: DriverCall,
    provider: ProviderName,
    fileId: string,
  ): Promise<RemoteFile | null> {
    return this.#files.get(cacheKey(provider, fileId), call, async (shared) => {
      const storage = await this.storage(provider);
      try {
        return await storage.getFile(shared, fileId);
      } catch (error) {
        if (isNoSuchKey(error)) return null;
        throw error;
      }
    });
  }

  /** Every file that the provider lists. */
  snapshot(call: DriverCall, provider: ProviderName): Promise<FileSnapshot> {
    return this.#snapshots.get(provider, call, async (shared) => {
      // Read first: whatever the index learns later, the list may lack.
      const version = await this.#deps.index.latestVersion(provider);
      const storage = await this.storage(provider);
      const files = new Map<string, RemoteFile>();
      for await (const page of storage.listFiles(shared)) {
        for (const file of page) {
          if (file.purpose !== "other") files.set(file.id, file);
        }
        if (files.size > FILES_MAX) throw tooManyFiles(provider);
      }
      return new FileSnapshot(version, files);
    });
  }

  /** What a put has just returned answers for the file for the next second. */
  remember(provider: ProviderName, file: RemoteFile): void {
    this.#files.set(cacheKey(provider, file.id), file);
  }

  /** Nothing read before this moment answers for the file any more. */
  forget(provider: ProviderName, fileId: string): void {
    this.#files.delete(cacheKey(provider, fileId));
  }
}

/** A provider's whole list at one moment. */
export class FileSnapshot {
  /** The index's latest version before the list was read. */
  readonly version: string;
  readonly #files: ReadonlyMap<string, RemoteFile>;
  readonly #sorted: readonly RemoteFile[];

  constructor(version: string, files: ReadonlyMap<string, RemoteFile>) {
    this.version = version;
    this.#files = files;
    this.#sorted = [...files.values()]
      .sort((a, b) => compareKeys(a.id, b.id));
  }

  get(fileId: string): RemoteFile | null {
    return this.#files.get(fileId) ?? null;
  }

  /** The files of a page in the order of their ids. */
  *from(page: FileIdPage): Iterable<RemoteFile> {
    for (let i = this.#firstOf(page); i < this.#sorted.length; i++) {
      const file = this.#sorted[i];
      if (file === undefined || !file.id.startsWith(page.prefix)) return;
      yield file;
    }
  }

  #firstOf({ prefix, after }: FileIdPage): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const id = this.#sorted[middle]?.id ?? "";
      const before = compareKeys(id, prefix) < 0 ||
        (after !== "" && compareKeys(id, after) <= 0);
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function isNoSuchKey(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "no_such_key";
}

function cacheKey(provider: ProviderName, fileId: string): string {
  return `${provider}/${fileId}`;
}

function tooManyFiles(provider: ProviderName): GatewayError {
  return new GatewayError(
    { kind: "upstream_failed" },
    `"${provider}" lists more than ${FILES_MAX} files; the gateway cannot ` +
      "put them in order.",
  );
}
