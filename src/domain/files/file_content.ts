import type { ByteRange, ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type { ObjectInfo, ResultObjects } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import { cutRange } from "./byte_range.ts";
import type { KeptFiles } from "./kept_files.ts";
import { noSuchKey } from "./object_view.ts";
import { isNoSuchKey, type ProviderFiles } from "./provider_files.ts";

export interface FileContentDeps {
  readonly files: ProviderFiles;
  readonly kept: KeptFiles;
  readonly results: ResultObjects;
}

/** The bytes of files, wherever they rest. */
export class FileContent {
  readonly #deps: FileContentDeps;

  constructor(deps: FileContentDeps) {
    this.#deps = deps;
  }

  async open(
    call: CallContext,
    provider: ProviderName,
    object: ObjectInfo,
    range: ByteRange | null,
  ): Promise<ByteStream> {
    const { source, key } = object;
    switch (source.kind) {
      case "job_result":
        return await this.#deps.results.open(call, object, range);
      case "kept_file":
        return await this.openKept(source.fileId, range, key);
      case "provider_file": {
        const { fileId } = source;
        const content = await this.openRemote(call, provider, fileId, key);
        // No provider documents ranges: the rest is read and dropped.
        return range === null ? content : cutRange(content, range);
      }
    }
  }

  async openKept(
    fileId: string,
    range: ByteRange | null,
    key: string,
  ): Promise<ByteStream> {
    const content = await this.#deps.kept.open(fileId, range);
    if (content === null) throw noSuchKey(key);
    return content;
  }

  /** A driver itself says why its provider hands a content back to nobody. */
  async openRemote(
    call: CallContext,
    provider: ProviderName,
    fileId: string,
    key: string,
  ): Promise<ByteStream> {
    const storage = await this.#deps.files.storage(provider);
    try {
      return await storage.openFile(call, fileId);
    } catch (error) {
      throw isNoSuchKey(error) ? noSuchKey(key) : error;
    }
  }
}
