import type { CallContext } from "../context.ts";
import type { RemoteFile } from "../driver.ts";
import type { ObjectInfo, ObjectListing, ResultObjects } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import type { FileIndex, FileScope, StoredFile } from "./file_index.ts";
import { compareKeys } from "./key_order.ts";
import { type FileNaming, type OwnsFile, wasDeleted } from "./naming.ts";
import { asStored, objectView, type VisibleFile } from "./object_view.ts";
import { joinOrdered, resolveAhead } from "./ordered_merge.ts";
import type { FileSnapshot, ProviderFiles } from "./provider_files.ts";

/** Upstream and index reads that one listing may have under way. */
const AHEAD_MAX = 16;

/**
 * How long a provider's list may lack a new file although it was read after
 * the file was put; the file itself is asked about meanwhile.
 */
const LIST_LAG_MAX_MS = 10_000;

export interface FileListingDeps {
  readonly index: FileIndex;
  readonly files: ProviderFiles;
  readonly naming: FileNaming;
  readonly results: ResultObjects;
  readonly ownsFile: OwnsFile;
  readonly now: () => Date;
}

/** One listing: the request, and the provider's list that it is read from. */
interface View {
  readonly call: CallContext;
  readonly provider: ProviderName;
  readonly page: ObjectListing;
  readonly snapshot: FileSnapshot;
}

/** One file id, from each of the places that know it. */
interface IdEntry {
  readonly fileId: string;
  readonly stored?: Versioned<StoredFile>;
  readonly remote?: RemoteFile;
  readonly deletedAt?: Date;
}

/** Something that may have to be listed under a key. */
interface Candidate {
  readonly key: string;
  /** Null where it turns out not to be there, or not under this key. */
  show(): Promise<ObjectInfo | null>;
}

/** A bucket's objects: named files, results, and all other files by id. */
export class FileListing {
  readonly #deps: FileListingDeps;

  constructor(deps: FileListingDeps) {
    this.#deps = deps;
  }

  /**
   * Everything after `page.after` with the prefix, in S3's order. Reads no
   * further than its consumer does, but for the provider's own list: what may
   * have to be skipped is merged first and looked at afterwards, so that no
   * page reads another page's part.
   */
  async *list(
    call: CallContext,
    provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<ObjectInfo> {
    const snapshot = await this.#deps.files.snapshot(call, provider);
    const view = { call, provider, page, snapshot };
    const merged = joinOrdered<Candidate>(
      [this.#named(view), this.#results(view), this.#byId(view)],
      (a, b) => compareKeys(a.key, b.key),
    );
    yield* resolveAhead(merged, AHEAD_MAX, firstShown);
  }

  /** Files under the keys that the caller gave them. */
  async *#named(view: View): AsyncIterable<Candidate> {
    const { call, provider, page } = view;
    const { tenant } = call.principal;
    for await (
      const entry of this.#deps.index.listByKey(tenant, provider, page)
    ) {
      const { address, fileId } = entry.value;
      if (address === null) continue;
      const remote = view.snapshot.get(fileId);
      yield {
        key: address.key,
        show: async () => {
          const file = await this.#present(view, entry, remote);
          return file === null ? null : objectView(address, file);
        },
      };
    }
  }

  async *#results({ call, provider, page }: View): AsyncIterable<Candidate> {
    for await (
      const object of this.#deps.results.list(call, provider, page)
    ) {
      yield { key: object.key, show: () => Promise.resolve(object) };
    }
  }

  /** Every file that the caller may see, under its id. */
  async *#byId(view: View): AsyncIterable<Candidate> {
    const { bucket } = view.page;
    for await (const entry of this.#ids(view)) {
      const key = entry.fileId;
      yield {
        key,
        show: async () => {
          const file = await this.#visible(view, entry);
          return file === null ? null : objectView({ bucket, key }, file);
        },
      };
    }
  }

  /** All ids of the page in order, with all that is known of each. */
  async *#ids(view: View): AsyncIterable<IdEntry> {
    const { call, provider, page, snapshot } = view;
    const { admin, tenant } = call.principal;
    const scope: FileScope = admin
      ? { kind: "all" }
      : { kind: "tenant", tenant };
    const sources = [
      storedEntries(this.#deps.index.listById(scope, provider, page)),
      remoteEntries(snapshot.from(page)),
      this.#deps.index.listDeleted(provider, page),
    ];
    const joined = joinOrdered<IdEntry>(
      sources,
      (a, b) => compareKeys(a.fileId, b.fileId),
    );
    for await (const entries of joined) yield combined(entries);
  }

  async #visible(view: View, entry: IdEntry): Promise<VisibleFile | null> {
    const { stored, remote = null, deletedAt = null } = entry;
    if (stored !== undefined) {
      if (isNamedHere(view, stored.value)) return null;
      return await this.#present(view, stored, remote);
    }
    if (remote === null || wasDeleted(remote, deletedAt)) return null;
    if (!await this.#isOwned(view, remote)) return null;
    return { heldBy: "provider", stored: null, remote };
  }

  async #isOwned(view: View, remote: RemoteFile): Promise<boolean> {
    const { call, provider } = view;
    if (call.principal.admin) return true;
    // Whatever a caller put is in the index; the rest came out of jobs.
    return remote.purpose === "output" &&
      await this.#deps.ownsFile(call, provider, remote.id);
  }

  /** A stored file as it is to be shown now; null where it is gone. */
  async #present(
    view: View,
    { value: stored, version }: Versioned<StoredFile>,
    remote: RemoteFile | null,
  ): Promise<VisibleFile | null> {
    if (stored.heldBy === "gateway") return { heldBy: "gateway", stored };
    if (remote !== null) return { heldBy: "provider", stored, remote };
    // Put after the list was read, perhaps through another replica.
    if (version > view.snapshot.version) return asStored(stored);
    const ageMs = this.#deps.now().getTime() - stored.storedAt.getTime();
    if (ageMs > LIST_LAG_MAX_MS) return null;
    return await this.#deps.naming.present(view.call, stored);
  }
}

/** Listed by key in this very bucket, and so not by id. */
function isNamedHere({ call, page }: View, stored: StoredFile): boolean {
  return stored.tenant === call.principal.tenant &&
    stored.address?.bucket === page.bucket;
}

async function* storedEntries(
  files: AsyncIterable<Versioned<StoredFile>>,
): AsyncIterable<IdEntry> {
  for await (const stored of files) {
    yield { fileId: stored.value.fileId, stored };
  }
}

async function* remoteEntries(
  files: Iterable<RemoteFile>,
): AsyncIterable<IdEntry> {
  for (const remote of files) yield { fileId: remote.id, remote };
}

function combined(entries: readonly (IdEntry | null)[]): IdEntry {
  let all: IdEntry = { fileId: "" };
  for (const entry of entries) if (entry !== null) all = { ...all, ...entry };
  return all;
}

/** Of candidates for one key, the first that is to be shown. */
async function firstShown(
  candidates: readonly (Candidate | null)[],
): Promise<ObjectInfo | null> {
  for (const candidate of candidates) {
    const object = candidate === null ? null : await candidate.show();
    if (object !== null) return object;
  }
  return null;
}
