import type { DriverCall, RemoteFile } from "../driver.ts";
import type { FileIndex } from "../files/file_index.ts";
import type { FileWriter } from "../files/file_writer.ts";
import type { ProviderName } from "../provider.ts";
import { markOf, readMark } from "./file_mark.ts";
import type { Seal, Upload } from "./upload.ts";

/** A file at the provider that an attempt at an upload made. */
export interface MarkedFile {
  readonly remote: RemoteFile;
  /** The beginning of its plan's digest. */
  readonly plan: string;
}

/** Marked files by the upload that they came from. */
export type MarkedFiles = ReadonlyMap<string, readonly MarkedFile[]>;

/** Finds what attempts left at the provider that nobody acknowledged. */
export class StrayFiles {
  readonly #files: FileWriter;
  readonly #index: Pick<FileIndex, "findById">;

  constructor(files: FileWriter, index: Pick<FileIndex, "findById">) {
    this.#files = files;
    this.#index = index;
  }

  /** Every marked file that the provider lists. */
  async list(call: DriverCall, provider: ProviderName): Promise<MarkedFiles> {
    const found = new Map<string, MarkedFile[]>();
    for (const remote of await this.#files.listRemote(call, provider)) {
      const mark = readMark(remote.fileName ?? "");
      if (mark === null) continue;
      const { uploadId, plan } = mark;
      const files = found.get(uploadId) ?? [];
      files.push({ remote, plan });
      found.set(uploadId, files);
    }
    return found;
  }

  /** The file that an attempt sealed, where it did get to the provider. */
  async find(
    upload: Upload,
    seal: Seal,
    marked: MarkedFiles,
  ): Promise<RemoteFile | null> {
    const { plan } = markOf(upload.id, seal.planDigest);
    for (const file of marked.get(upload.id) ?? []) {
      const fits = file.plan === plan && file.remote.state !== "failed" &&
        file.remote.sizeBytes === seal.sizeBytes;
      if (fits && await this.#isUnclaimed(upload, file)) return file.remote;
    }
    return null;
  }

  /** Deletes an upload's files that nothing in the gateway knows of. */
  async remove(
    call: DriverCall,
    upload: Upload,
    marked: MarkedFiles,
  ): Promise<number> {
    let removed = 0;
    for (const file of marked.get(upload.id) ?? []) {
      if (!await this.#isUnclaimed(upload, file)) continue;
      const { provider } = upload;
      const fileId = file.remote.id;
      await this.#files
        .discard(call, { provider, fileId, heldBy: "provider" });
      removed++;
    }
    return removed;
  }

  /** A caller may give a key that looks like a mark. */
  async #isUnclaimed(
    { provider }: Upload,
    { remote }: MarkedFile,
  ): Promise<boolean> {
    const { stored, deletedAt } = await this.#index
      .findById(provider, remote.id);
    return stored === null && deletedAt === null;
  }
}
