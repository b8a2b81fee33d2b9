import type { FileIndex } from "../files/file_index.ts";
import { isKeptId, KEPT_FILES_PREFIX, keptIdOf } from "../files/kept_files.ts";
import type { ObjectStore, StoredObject } from "../object_store.ts";
import { PROVIDER_NAMES } from "../provider.ts";
import { parsePartKey, PARTS_PREFIX } from "./part_bytes.ts";
import type { PartRemoval } from "./part_removal.ts";
import type { UploadIndex } from "./upload_index.ts";

const HOUR_MS = 60 * 60 * 1000;

/** Bytes are written before their entry; long after that they are orphans. */
const ORPHAN_AGE_MS = HOUR_MS;

/** Stored objects that one sweep looks at, of each kind. */
const OBJECTS_MAX = 1000;

export interface OrphanWalkDeps {
  readonly index: UploadIndex;
  readonly fileIndex: Pick<FileIndex, "findById">;
  readonly store: ObjectStore;
  readonly removal: PartRemoval;
}

/** Goes round the object store, a stretch at a time, and deletes orphans. */
export class OrphanWalk {
  readonly #deps: OrphanWalkDeps;
  readonly #parts: Stretches;
  readonly #kept: Stretches;
  /** The upload that the last part belonged to: parts come upload by upload. */
  #upload: { readonly id: string; readonly live: boolean } | null = null;

  constructor(deps: OrphanWalkDeps) {
    this.#deps = deps;
    this.#parts = new Stretches(() => deps.store.list(PARTS_PREFIX));
    this.#kept = new Stretches(() => deps.store.list(KEPT_FILES_PREFIX));
  }

  /** How many objects were deleted. */
  async sweep(now: Date): Promise<number> {
    let deleted = 0;
    this.#upload = null;
    for await (const object of this.#parts.next(OBJECTS_MAX)) {
      if (await this.#isOrphanPart(object, now)) {
        await this.#deps.store.delete(object.key);
        deleted++;
      }
    }
    for await (const object of this.#kept.next(OBJECTS_MAX)) {
      if (await this.#isOrphanFile(object, now)) {
        await this.#deps.store.delete(object.key);
        deleted++;
      }
    }
    return deleted;
  }

  async #isOrphanPart(
    { key, modifiedAt }: StoredObject,
    now: Date,
  ): Promise<boolean> {
    const { index } = this.#deps;
    const place = parsePartKey(key);
    if (place === null) return false;
    // The upload's end takes every part along, also one that came just then.
    if (!await this.#isLive(place.uploadId)) return true;
    if (!isOld(modifiedAt, now)) return false;
    const part = await index.getPart(place.uploadId, place.partNumber);
    return part?.value.storeKey !== key;
  }

  async #isLive(uploadId: string): Promise<boolean> {
    const { index, removal } = this.#deps;
    if (this.#upload?.id === uploadId) return this.#upload.live;
    const kind = (await index.get(uploadId))?.value.state.kind;
    const live = kind === "open" || kind === "completing";
    if (!live) await removal.removeAll(uploadId);
    this.#upload = { id: uploadId, live };
    return live;
  }

  async #isOrphanFile(
    { key, modifiedAt }: StoredObject,
    now: Date,
  ): Promise<boolean> {
    const fileId = keptIdOf(key);
    if (!isKeptId(fileId) || !isOld(modifiedAt, now)) return false;
    for (const provider of PROVIDER_NAMES) {
      const { stored } = await this.#deps.fileIndex.findById(provider, fileId);
      if (stored !== null) return false;
    }
    return true;
  }
}

function isOld(modifiedAt: Date, now: Date): boolean {
  return now.getTime() - modifiedAt.getTime() > ORPHAN_AGE_MS;
}

/** One listing after another, handed out in stretches. */
class Stretches {
  readonly #open: () => AsyncIterable<StoredObject>;
  #walk: AsyncIterator<StoredObject> | null = null;

  constructor(open: () => AsyncIterable<StoredObject>) {
    this.#open = open;
  }

  /** At most `countMax`; fewer at the end, after which it begins anew. */
  async *next(countMax: number): AsyncGenerator<StoredObject, void, void> {
    const walk = this.#walk ?? this.#open()[Symbol.asyncIterator]();
    // Where it breaks, or is left early, the next sweep begins anew.
    this.#walk = null;
    for (let count = 0; count < countMax; count++) {
      const { done, value } = await walk.next();
      if (done) return;
      yield value;
    }
    this.#walk = walk;
  }
}
