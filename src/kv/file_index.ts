import type { ObjectAddress } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import type {
  DeletedFile,
  FileIdPage,
  FileIndex,
  FileScope,
  FileTrace,
  NamedFile,
  StoredFile,
} from "../domain/files/file_index.ts";
import type { ObjectListing } from "../domain/object.ts";
import type { ProviderName } from "../domain/provider.ts";
import type { Versioned } from "../domain/versioned.ts";
import { FILE_KEYS, stringRange } from "./file_keys.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A provider may keep a file longer than it said; its name stays as well. */
const EXPIRY_GRACE_MS = 7 * DAY_MS;

/** Far longer than any replica may answer from a provider's older answer. */
const DELETED_KEPT_MS = 60 * 1000;

/** Each lost attempt means that somebody else's change of the file won. */
const REMOVE_ATTEMPTS_MAX = 32;

/** Entries that one read from a shared KV brings. */
const BATCH_SIZE = 500;

/** Files on Deno KV; a file's entries all move in one atomic write. */
export function createFileIndex(kv: Deno.Kv): FileIndex {
  return new KvFileIndex(kv);
}

class KvFileIndex implements FileIndex {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  async findByKey(
    tenant: string,
    provider: ProviderName,
    { bucket, key }: ObjectAddress,
  ): Promise<Versioned<StoredFile> | null> {
    const entry = await this.#kv.get<StoredFile>(
      FILE_KEYS.name(tenant, provider, bucket, key),
    );
    if (entry.value === null) return null;
    return { value: entry.value, version: entry.versionstamp };
  }

  async findById(provider: ProviderName, fileId: string): Promise<FileTrace> {
    const [stored, deleted] = await this.#kv.getMany<
      [StoredFile, DeletedFile]
    >([
      FILE_KEYS.file(provider, fileId),
      FILE_KEYS.deleted(provider, fileId),
    ]);
    return {
      stored: stored.value,
      deletedAt: deleted.value?.deletedAt ?? null,
    };
  }

  async save(
    file: NamedFile,
    previous: Versioned<StoredFile> | null,
  ): Promise<string | null> {
    const result = await saveFile(this.#kv.atomic(), file, previous).commit();
    return result.ok ? result.versionstamp : null;
  }

  async remove(
    provider: ProviderName,
    fileId: string,
    known: StoredFile | null,
  ): Promise<void> {
    for (let attempt = 1; attempt <= REMOVE_ATTEMPTS_MAX; attempt++) {
      if (await this.#tryRemove(provider, fileId, known)) return;
    }
    throw new GatewayError(
      { kind: "write_conflict" },
      `The file "${fileId}" is being changed by other requests; try again.`,
    );
  }

  async #tryRemove(
    provider: ProviderName,
    fileId: string,
    known: StoredFile | null,
  ): Promise<boolean> {
    const entry = await this.#kv.get<StoredFile>(
      FILE_KEYS.file(provider, fileId),
    );
    const file = entry.value ?? known;
    const atomic = this.#kv.atomic().check(entry).delete(entry.key);
    if (file !== null) {
      atomic.delete(FILE_KEYS.tenantFile(file.tenant, provider, fileId));
    }
    if (file?.address) {
      const name = await this.#kv.get<StoredFile>(
        nameKey({ ...file, address: file.address }),
      );
      if (name.value?.fileId === fileId) atomic.check(name).delete(name.key);
    }
    const deleted: DeletedFile = { fileId, deletedAt: new Date() };
    atomic.set(FILE_KEYS.deleted(provider, fileId), deleted, {
      expireIn: DELETED_KEPT_MS,
    });
    return (await markChange(atomic, provider).commit()).ok;
  }

  listByKey(
    tenant: string,
    provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<Versioned<StoredFile>> {
    return this.#list(FILE_KEYS.names(tenant, provider, page.bucket), page);
  }

  listById(
    scope: FileScope,
    provider: ProviderName,
    page: FileIdPage,
  ): AsyncIterable<Versioned<StoredFile>> {
    const folder = scope.kind === "all"
      ? FILE_KEYS.files(provider)
      : FILE_KEYS.tenantFiles(scope.tenant, provider);
    return this.#list(folder, page);
  }

  async *listDeleted(
    provider: ProviderName,
    page: FileIdPage,
  ): AsyncIterable<DeletedFile> {
    const folder = FILE_KEYS.allDeleted(provider);
    for await (const entry of this.#list<DeletedFile>(folder, page)) {
      yield entry.value;
    }
  }

  async latestVersion(provider: ProviderName): Promise<string> {
    return (await this.#kv.get(FILE_KEYS.change(provider))).versionstamp ?? "";
  }

  async *#list<T>(
    folder: Deno.KvKey,
    page: FileIdPage,
  ): AsyncIterable<Versioned<T>> {
    const range = stringRange(folder, page);
    if (range === null) return;
    const entries = this.#kv.list<T>(range, { batchSize: BATCH_SIZE });
    for await (const { value, versionstamp } of entries) {
      yield { value, version: versionstamp };
    }
  }
}

/** Adds what `FileIndex.save` does to a write of whatever else goes with it. */
export function saveFile(
  atomic: Deno.AtomicOperation,
  file: NamedFile,
  previous: Versioned<StoredFile> | null,
): Deno.AtomicOperation {
  atomic.check({
    key: nameKey(file),
    versionstamp: previous?.version ?? null,
  });
  if (previous !== null) setFile(atomic, { ...previous.value, address: null });
  setFile(atomic, file);
  atomic.set(nameKey(file), file, expiryOf(file));
  return markChange(atomic, file.provider);
}

function nameKey({ tenant, provider, address }: NamedFile): Deno.KvKey {
  return FILE_KEYS.name(tenant, provider, address.bucket, address.key);
}

/** Both entries by id: the one for everybody and the one for its tenant. */
function setFile(atomic: Deno.AtomicOperation, file: StoredFile): void {
  const { provider, fileId, tenant } = file;
  const expiry = expiryOf(file);
  atomic.set(FILE_KEYS.file(provider, fileId), file, expiry);
  atomic.set(FILE_KEYS.tenantFile(tenant, provider, fileId), file, expiry);
}

/** Entries of files that a provider expires go by themselves, some time on. */
function expiryOf(file: StoredFile): { expireIn?: number } {
  if (file.expiresAt === null) return {};
  const goneAtMs = file.expiresAt.getTime() + EXPIRY_GRACE_MS;
  return { expireIn: Math.max(1, goneAtMs - Date.now()) };
}

function markChange(
  atomic: Deno.AtomicOperation,
  provider: ProviderName,
): Deno.AtomicOperation {
  return atomic.set(FILE_KEYS.change(provider), "changed");
}
