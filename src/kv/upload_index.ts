import type { NamedFile } from "../domain/files/file_index.ts";
import type { NamedBefore } from "../domain/files/file_writer.ts";
import type { ProviderName } from "../domain/provider.ts";
import type {
  Upload,
  UploadEntry,
  UploadPage,
  UploadPart,
} from "../domain/uploads/upload.ts";
import { idsFrom } from "../domain/uploads/upload_id.ts";
import type { Guarded, UploadIndex } from "../domain/uploads/upload_index.ts";
import type { Versioned } from "../domain/versioned.ts";
import { saveFile } from "./file_index.ts";
import {
  openRanges,
  partsAfter,
  UPLOAD_KEYS,
  uploadsBefore,
} from "./upload_keys.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** How long a completion is answered again, and an abort remembered. */
const ENDED_KEPT_MS = 2 * DAY_MS;

/** Entries that one read from a shared KV brings. */
const BATCH_SIZE = 500;

/** Uploads on Deno KV; every index moves in the same write as its upload. */
export function createUploadIndex(kv: Deno.Kv): UploadIndex {
  return new KvUploadIndex(kv);
}

class KvUploadIndex implements UploadIndex {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  async countOpen(tenant: string): Promise<number> {
    return await this.#number(UPLOAD_KEYS.openCount(tenant));
  }

  async create(upload: Upload): Promise<void> {
    const key = UPLOAD_KEYS.upload(upload.id);
    const atomic = this.#kv.atomic().check({ key, versionstamp: null });
    await write(atomic, null, upload).commit();
  }

  async get(uploadId: string): Promise<Versioned<Upload> | null> {
    return versioned(
      await this.#kv.get<Upload>(UPLOAD_KEYS.upload(uploadId)),
    );
  }

  async update(
    previous: Versioned<Upload>,
    next: Upload,
  ): Promise<Versioned<Upload> | null> {
    const result = await write(this.#guarded(previous), previous.value, next)
      .commit();
    return result.ok ? { value: next, version: result.versionstamp } : null;
  }

  async complete(
    previous: Versioned<Upload>,
    next: Upload,
    file: NamedFile,
    before: NamedBefore,
  ): Promise<Guarded> {
    const atomic = write(this.#guarded(previous), previous.value, next);
    return await this.#commit(previous, saveFile(atomic, file, before));
  }

  async remove(previous: Versioned<Upload>): Promise<boolean> {
    const atomic = write(this.#guarded(previous), previous.value, null);
    return (await atomic.commit()).ok;
  }

  async *list(
    tenant: string,
    provider: ProviderName,
    page: UploadPage,
  ): AsyncIterable<UploadEntry> {
    const folder = UPLOAD_KEYS.openOf(tenant, provider, page.bucket);
    for (const range of openRanges(folder, page)) {
      yield* this.#values<UploadEntry>(range);
    }
  }

  async *listBegunBefore(time: Date): AsyncIterable<Versioned<Upload>> {
    const entries = this.#kv.list<Upload>(uploadsBefore(idsFrom(time)), {
      batchSize: BATCH_SIZE,
    });
    for await (const { value, versionstamp } of entries) {
      yield { value, version: versionstamp };
    }
  }

  async *listUnsettled(): AsyncIterable<string> {
    yield* this.#values<string>({ prefix: UPLOAD_KEYS.allUnsettled });
  }

  async forgetUnsettled(uploadId: string): Promise<void> {
    const upload = UPLOAD_KEYS.upload(uploadId);
    await this.#kv.atomic().check({ key: upload, versionstamp: null })
      .delete(UPLOAD_KEYS.unsettled(uploadId)).commit();
  }

  async partBytes(uploadId: string): Promise<number> {
    return await this.#number(UPLOAD_KEYS.partBytes(uploadId));
  }

  async getPart(
    uploadId: string,
    partNumber: number,
  ): Promise<Versioned<UploadPart> | null> {
    return versioned(
      await this.#kv.get<UploadPart>(UPLOAD_KEYS.part(uploadId, partNumber)),
    );
  }

  async putPart(
    upload: Versioned<Upload>,
    part: UploadPart,
    previous: Versioned<UploadPart> | null,
  ): Promise<Guarded> {
    const { id } = upload.value;
    const key = UPLOAD_KEYS.part(id, part.partNumber);
    const atomic = this.#guarded(upload)
      .check({ key, versionstamp: previous?.version ?? null })
      .set(key, part);
    const grownBytes = part.sizeBytes - (previous?.value.sizeBytes ?? 0);
    add(atomic, UPLOAD_KEYS.partBytes(id), grownBytes);
    return await this.#commit(upload, atomic);
  }

  async *listParts(
    uploadId: string,
    afterNumber: number,
  ): AsyncIterable<UploadPart> {
    yield* this.#values<UploadPart>(partsAfter(uploadId, afterNumber));
  }

  async removeParts(
    uploadId: string,
    partNumbers: readonly number[],
  ): Promise<void> {
    const atomic = this.#kv.atomic();
    for (const partNumber of partNumbers) {
      atomic.delete(UPLOAD_KEYS.part(uploadId, partNumber));
    }
    await atomic.delete(UPLOAD_KEYS.partBytes(uploadId)).commit();
  }

  #guarded({ value, version }: Versioned<Upload>): Deno.AtomicOperation {
    return this.#kv.atomic().check({
      key: UPLOAD_KEYS.upload(value.id),
      versionstamp: version,
    });
  }

  async #commit(
    upload: Versioned<Upload>,
    atomic: Deno.AtomicOperation,
  ): Promise<Guarded> {
    const result = await atomic.commit();
    if (result.ok) return { kind: "done", version: result.versionstamp };
    const now = await this.get(upload.value.id);
    return now?.version === upload.version
      ? { kind: "target_changed" }
      : { kind: "upload_changed" };
  }

  async #number(key: Deno.KvKey): Promise<number> {
    const entry = await this.#kv.get<Deno.KvU64>(key);
    return Number(entry.value?.value ?? 0n);
  }

  async *#values<T>(range: Deno.KvListSelector): AsyncIterable<T> {
    const entries = this.#kv.list<T>(range, { batchSize: BATCH_SIZE });
    for await (const { value } of entries) yield value;
  }
}

/** The upload and its indexes as `next` has them; null: gone. */
function write(
  atomic: Deno.AtomicOperation,
  previous: Upload | null,
  next: Upload | null,
): Deno.AtomicOperation {
  const id = (next ?? previous)?.id ?? "";
  const key = UPLOAD_KEYS.upload(id);
  if (next === null) atomic.delete(key);
  else atomic.set(key, next, isOpen(next) ? {} : { expireIn: ENDED_KEPT_MS });
  writeOpen(atomic, previous, next);
  if (next !== null && isUnsettled(next)) {
    atomic.set(UPLOAD_KEYS.unsettled(id), id);
  } else if (previous !== null && isUnsettled(previous)) {
    atomic.delete(UPLOAD_KEYS.unsettled(id));
  }
  return atomic;
}

function writeOpen(
  atomic: Deno.AtomicOperation,
  previous: Upload | null,
  next: Upload | null,
): void {
  const wasOpen = previous !== null && isOpen(previous);
  const willBeOpen = next !== null && isOpen(next);
  if (willBeOpen && !wasOpen) {
    atomic.set(openKey(next), entryOf(next));
    add(atomic, UPLOAD_KEYS.openCount(next.tenant), 1);
  }
  if (wasOpen && !willBeOpen) {
    atomic.delete(openKey(previous));
    add(atomic, UPLOAD_KEYS.openCount(previous.tenant), -1);
  }
}

/** KV's counters take no part in conflicts; they wrap, which subtracts. */
function add(
  atomic: Deno.AtomicOperation,
  key: Deno.KvKey,
  amount: number,
): void {
  atomic.sum(key, BigInt.asUintN(64, BigInt(amount)));
}

function isOpen({ state }: Upload): boolean {
  return state.kind === "open" || state.kind === "completing";
}

function isUnsettled({ state, strayUntil }: Upload): boolean {
  return state.kind === "completing" || strayUntil !== null;
}

function openKey({ tenant, provider, bucket, key, id }: Upload): Deno.KvKey {
  return UPLOAD_KEYS.open(tenant, provider, bucket, key, id);
}

function entryOf(
  { bucket, key, id, initiatedAt, checksum }: Upload,
): UploadEntry {
  return { bucket, key, uploadId: id, initiatedAt, checksum };
}

function versioned<T>(entry: Deno.KvEntryMaybe<T>): Versioned<T> | null {
  if (entry.value === null || entry.versionstamp === null) return null;
  return { value: entry.value, version: entry.versionstamp };
}
