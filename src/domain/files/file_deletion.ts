import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import type { ObjectName } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { FileIndex, StoredFile } from "./file_index.ts";
import { isKeptId, type KeptFiles } from "./kept_files.ts";
import type { FileNaming } from "./naming.ts";
import { fileIdOf, type VisibleFile } from "./object_view.ts";
import type { ProviderFiles } from "./provider_files.ts";
import { preconditionFailed, resultsAreReadOnly } from "./write_conditions.ts";

export interface FileDeletionDeps {
  readonly index: FileIndex;
  readonly files: ProviderFiles;
  readonly kept: KeptFiles;
  readonly naming: FileNaming;
}

/** Deletes files, and only those that the caller clearly means. */
export class FileDeletion {
  readonly #deps: FileDeletionDeps;

  constructor(deps: FileDeletionDeps) {
    this.#deps = deps;
  }

  async delete(
    call: CallContext,
    provider: ProviderName,
    name: ObjectName,
  ): Promise<void> {
    const { index, naming } = this.#deps;
    const { tenant } = call.principal;
    const entry = await index.findByKey(tenant, provider, name);
    if (entry !== null && await this.#isMeant(call, entry.value, name)) {
      return await this.#remove(
        call,
        provider,
        entry.value.fileId,
        entry.value,
      );
    }
    const meant = await naming.resolveUnnamed(call, provider, name);
    if (meant === null) return;
    if (meant.kind === "result") throw resultsAreReadOnly(name.key);
    if (meant.kind === "listed" && meant.by === "key") {
      throw notByKey(meant.file, name.ifMatch);
    }
    const fileId = fileIdOf(meant.file);
    await this.#remove(call, provider, fileId, meant.file.stored);
  }

  /** False where the key's own file is gone and If-Match names another. */
  async #isMeant(
    call: CallContext,
    stored: StoredFile,
    { ifMatch }: ObjectName,
  ): Promise<boolean> {
    if (ifMatch === null || ifMatch === "*") return true;
    if (ifMatch === stored.fileId) return true;
    const present = await this.#deps.naming.present(call, stored);
    if (present !== null) throw preconditionFailed("If-Match");
    return false;
  }

  /**
   * Bytes first: a process killed in between leaves a name without a file,
   * which the next attempt removes, rather than a file without a name.
   */
  async #remove(
    call: CallContext,
    provider: ProviderName,
    fileId: string,
    stored: StoredFile | null,
  ): Promise<void> {
    const { index, files, kept } = this.#deps;
    if (isKeptId(fileId)) await kept.delete(fileId);
    else {
      const storage = await files.storage(provider);
      await storage.deleteFile(call, fileId);
      files.forget(provider, fileId);
    }
    await index.remove(provider, fileId, stored);
  }
}

/** Emptying a bucket must never empty the provider's account. */
function notByKey(file: VisibleFile, ifMatch: string | null): GatewayError {
  if (ifMatch !== null && ifMatch !== "*") {
    return preconditionFailed("If-Match");
  }
  const fileId = fileIdOf(file);
  return new GatewayError(
    { kind: "access_denied" },
    `"${fileId}" was not put under this key: it is only listed here under its ` +
      "file id. To delete the file, send its id in If-Match.",
  );
}
