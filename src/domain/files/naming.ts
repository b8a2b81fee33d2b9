import type { CallContext } from "../context.ts";
import type { ObjectAddress, RemoteFile } from "../driver.ts";
import type { ObjectInfo, ObjectName, ResultObjects } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { FileIndex, StoredFile } from "./file_index.ts";
import { isKeptId } from "./kept_files.ts";
import { lastSegment } from "./key_order.ts";
import type { VisibleFile } from "./object_view.ts";
import type { ProviderFiles } from "./provider_files.ts";

/**
 * Whether the caller's own jobs produced a file, so that it is theirs although
 * nobody put it.
 */
export type OwnsFile = (
  call: CallContext,
  provider: ProviderName,
  fileId: string,
) => Promise<boolean>;

/** What a caller's name for an object stands for. */
export type Meant =
  /** Put under that very key. */
  | { readonly kind: "named"; readonly file: VisibleFile }
  /** Named by its id alone: in If-Match, or as the key's last segment. */
  | {
    readonly kind: "listed";
    readonly file: VisibleFile;
    readonly by: "if_match" | "key";
  }
  | { readonly kind: "result"; readonly object: ObjectInfo };

/** A bound on what is looked up; providers' ids are far shorter. */
const FILE_ID_LENGTH_MAX = 256;

export interface FileNamingDeps {
  readonly index: FileIndex;
  readonly files: ProviderFiles;
  readonly results: ResultObjects;
  readonly ownsFile: OwnsFile;
}

/** Which file a caller means, among those that the caller may see. */
export class FileNaming {
  readonly #deps: FileNamingDeps;

  constructor(deps: FileNamingDeps) {
    this.#deps = deps;
  }

  /**
   * What the name stands for: the file put under (bucket, key); else the one
   * whose id If-Match gives; else a job's result; else the one whose id is the
   * key's last segment; null where there is none of them.
   */
  async resolve(
    call: CallContext,
    provider: ProviderName,
    name: ObjectName,
  ): Promise<Meant | null> {
    const file = await this.findByKey(call, provider, name);
    if (file !== null) return { kind: "named", file };
    return await this.resolveUnnamed(call, provider, name);
  }

  /** The same, where nothing is there under (bucket, key) itself. */
  async resolveUnnamed(
    call: CallContext,
    provider: ProviderName,
    { bucket, key, ifMatch }: ObjectName,
  ): Promise<Meant | null> {
    if (ifMatch !== null) {
      const file = await this.findById(call, provider, ifMatch);
      if (file !== null) return { kind: "listed", file, by: "if_match" };
    }
    const object = await this.#deps.results.find(call, provider, bucket, key);
    if (object !== null) return { kind: "result", object };
    const file = await this.findById(call, provider, lastSegment(key));
    return file === null ? null : { kind: "listed", file, by: "key" };
  }

  /** The file that the caller put under a key and that is still there. */
  async findByKey(
    call: CallContext,
    provider: ProviderName,
    address: ObjectAddress,
  ): Promise<VisibleFile | null> {
    const { tenant } = call.principal;
    const entry = await this.#deps.index.findByKey(tenant, provider, address);
    return entry === null ? null : await this.present(call, entry.value);
  }

  /** A stored file together with what its holder says; null if it is gone. */
  async present(
    call: CallContext,
    stored: StoredFile,
  ): Promise<VisibleFile | null> {
    if (stored.heldBy === "gateway") return { heldBy: "gateway", stored };
    const { provider, fileId } = stored;
    const remote = await this.#deps.files.get(call, provider, fileId);
    return remote === null ? null : { heldBy: "provider", stored, remote };
  }

  /** The file with this id, where there is one that the caller may see. */
  async findById(
    call: CallContext,
    provider: ProviderName,
    idText: string,
  ): Promise<VisibleFile | null> {
    const fileId = await this.#parseFileId(provider, idText);
    if (fileId === null) return null;
    const { stored, deletedAt } = await this.#deps.index
      .findById(provider, fileId);
    if (stored !== null) {
      if (!maySee(call, stored)) return null;
      return await this.present(call, stored);
    }
    if (isKeptId(fileId)) return null;
    const owned = call.principal.admin ||
      await this.#deps.ownsFile(call, provider, fileId);
    if (!owned) return null;
    const remote = await this.#deps.files.get(call, provider, fileId);
    if (remote === null || wasDeleted(remote, deletedAt)) return null;
    return { heldBy: "provider", stored: null, remote };
  }

  /** The id as the index has it; null for what has no id's shape. */
  async #parseFileId(
    provider: ProviderName,
    text: string,
  ): Promise<string | null> {
    if (text === "" || text.length > FILE_ID_LENGTH_MAX) return null;
    if (isKeptId(text)) return text;
    const storage = await this.#deps.files.storage(provider);
    // Gemini's own tools write `files/` in front.
    return storage.isFileId(text) ? lastSegment(text) : null;
  }
}

function maySee({ principal }: CallContext, stored: StoredFile): boolean {
  return principal.admin || principal.tenant === stored.tenant;
}

/**
 * Whether a provider's answer is older than the deletion of the file. A file
 * made later under the same id, which Gemini allows, is another one.
 */
export function wasDeleted(
  remote: RemoteFile,
  deletedAt: Date | null,
): boolean {
  return deletedAt !== null && remote.createdAt <= deletedAt;
}
