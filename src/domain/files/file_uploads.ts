import { type PeekedStream, peekFormat } from "../../records/detect.ts";
import type { ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type { DriverCall, RemoteFile } from "../driver.ts";
import { GatewayError, isOutcomeUnknown } from "../failure.ts";
import type {
  ObjectDraft,
  ObjectInfo,
  PutCondition,
  ResultObjects,
} from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { FileIndex, NamedFile, StoredFile } from "./file_index.ts";
import { providerFileName } from "./file_name.ts";
import type {
  FilePlace,
  FileWriter,
  NamedBefore,
  SaveName,
  StoreOptions,
  WriteTarget,
} from "./file_writer.ts";
import { type KeptFiles, newKeptId } from "./kept_files.ts";
import { lastSegment } from "./key_order.ts";
import type { FileNaming, Meant } from "./naming.ts";
import { checkBounds } from "./object_bounds.ts";
import {
  contentTypeOf,
  mustBeKept,
  storedTargetOf,
  targetOf,
} from "./object_draft.ts";
import { asStored, fileIdOf, objectView } from "./object_view.ts";
import type { ProviderFiles } from "./provider_files.ts";
import { sealedStream } from "./sealed_stream.ts";
import { checkCondition, resultsAreReadOnly } from "./write_conditions.ts";

/** Each lost attempt means that somebody else's put of the key won. */
const NAME_ATTEMPTS_MAX = 100;
const NAME_PAUSE_MAX_MS = 20;

export interface FileUploadsDeps {
  readonly index: FileIndex;
  readonly files: ProviderFiles;
  readonly kept: KeptFiles;
  readonly naming: FileNaming;
  readonly results: ResultObjects;
  readonly now: () => Date;
  readonly pause: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

/** Stores bodies and points keys at them. */
export class FileUploads implements FileWriter {
  readonly #deps: FileUploadsDeps;

  constructor(deps: FileUploadsDeps) {
    this.#deps = deps;
  }

  async put(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
  ): Promise<ObjectInfo> {
    const before = await this.prepare(call, provider, targetOf(draft));
    const file = await this.store(call, provider, draft);
    try {
      await this.name(call, file, draft.condition, before);
    } catch (error) {
      // The entry may have been written for all that is known: then the file
      // must stay.
      if (!isOutcomeUnknown(error)) await this.discard(call, file);
      throw error;
    }
    return objectView(file.address, asStored(file));
  }

  async prepare(
    call: CallContext,
    provider: ProviderName,
    target: WriteTarget,
  ): Promise<NamedBefore> {
    checkBounds(target, await this.fileBytesMax(provider));
    const before = await this.#checkTarget(call, provider, target);
    if (mustBeKept(target)) this.requireStore("An object without records");
    return before;
  }

  async #checkTarget(
    call: CallContext,
    provider: ProviderName,
    { bucket, key, condition }: WriteTarget,
  ): Promise<NamedBefore> {
    const { index, naming, results } = this.#deps;
    const { tenant } = call.principal;
    const before = await index.findByKey(tenant, provider, { bucket, key });
    if (before === null) {
      const result = await results.find(call, provider, bucket, key);
      if (result !== null) throw resultsAreReadOnly(key);
    }
    if (!condition.absent && condition.etag === null) return before;
    const name = { bucket, key, ifMatch: null };
    const meant = await naming.resolve(call, provider, name);
    checkCondition(condition, meant && etagOf(meant), key);
    return before;
  }

  async store(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
    options: StoreOptions = {},
  ): Promise<NamedFile> {
    const peeked = await peekFormat(draft.body.stream);
    try {
      const place = choosePlace(provider, draft, peeked);
      const { seal } = options;
      const stream = seal === undefined
        ? peeked.stream
        : sealedStream(peeked.stream, () => seal(place));
      return place.heldBy === "gateway"
        ? await this.#keep(call, provider, draft, place, stream)
        : await this.#upload(call, provider, draft, {
          stream,
          format: place.format,
          fileName: options.fileName ?? providerFileName(draft.key),
        });
    } catch (error) {
      // Nobody reads the rest: the client must learn that at once.
      await peeked.stream.cancel(error).catch(() => {});
      throw error;
    }
  }

  async #keep(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
    { fileId, format }: FilePlace & { heldBy: "gateway" },
    stream: ByteStream,
  ): Promise<NamedFile> {
    this.requireStore(
      format === null
        ? "An object without records"
        : `A file in ${format}'s record format for the provider "${provider}"`,
    );
    const stored = await this.#deps.kept.put(fileId, stream, call.signal);
    return this.#named(call, provider, storedTargetOf(draft), {
      fileId,
      heldBy: "gateway",
      fileName: lastSegment(draft.key),
      sizeBytes: stored.sizeBytes,
      createdAt: stored.modifiedAt,
      expiresAt: null,
      downloadable: true,
      format,
    });
  }

  async #upload(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
    { stream, format, fileName }: {
      readonly stream: ByteStream;
      readonly format: StoredFile["format"];
      readonly fileName: string;
    },
  ): Promise<NamedFile> {
    const storage = await this.#deps.files.storage(provider);
    const { sizeBytes } = draft.body;
    const contentType = contentTypeOf(draft, format);
    const remote = await storage.putFile(
      call,
      { fileName, sizeBytes, contentType },
      stream,
    );
    const named = { ...remote, fileName: remote.fileName ?? fileName };
    return this.adopt(call, storedTargetOf(draft), named, { provider, format });
  }

  adopt(
    call: CallContext,
    target: WriteTarget,
    remote: RemoteFile,
    { provider, format }: {
      readonly provider: ProviderName;
      readonly format: StoredFile["format"];
    },
  ): NamedFile {
    this.#deps.files.remember(provider, remote);
    return this.#named(call, provider, target, {
      fileId: remote.id,
      heldBy: "provider",
      fileName: remote.fileName ?? providerFileName(target.key),
      sizeBytes: remote.sizeBytes,
      createdAt: remote.createdAt,
      expiresAt: remote.expiresAt,
      downloadable: remote.downloadable,
      format,
    });
  }

  #named(
    call: CallContext,
    provider: ProviderName,
    { bucket, key, headers }: WriteTarget,
    file: Omit<
      StoredFile,
      "provider" | "tenant" | "address" | "storedAt" | "headers"
    >,
  ): NamedFile {
    return {
      ...file,
      provider,
      tenant: call.principal.tenant,
      address: { bucket, key },
      storedAt: this.#deps.now(),
      headers,
    };
  }

  async name(
    call: CallContext,
    file: NamedFile,
    condition: PutCondition,
    before: NamedBefore,
    save: SaveName = (named, previous) =>
      this.#deps.index.save(named, previous),
  ): Promise<void> {
    const { index, pause } = this.#deps;
    const { tenant, provider, address } = file;
    let previous = before;
    for (let attempt = 1; attempt <= NAME_ATTEMPTS_MAX; attempt++) {
      if (await save(file, previous) !== null) return;
      if (attempt > 1) {
        await pause(Math.random() * NAME_PAUSE_MAX_MS, call.signal);
      }
      previous = await index.findByKey(tenant, provider, address);
      checkCondition(condition, previous?.value.fileId ?? null, address.key);
    }
    throw new GatewayError(
      { kind: "write_conflict" },
      `The key "${address.key}" is being written by other requests; try again.`,
    );
  }

  /** A file left over is only listed by its id. */
  async discard(
    { requestId }: DriverCall,
    { provider, fileId, heldBy }: Pick<
      StoredFile,
      "provider" | "fileId" | "heldBy"
    >,
  ): Promise<void> {
    const { files, kept } = this.#deps;
    // Also for a caller who has gone.
    const { signal } = new AbortController();
    try {
      if (heldBy === "gateway") return await kept.delete(fileId);
      const storage = await files.storage(provider);
      await storage.deleteFile({ requestId, signal }, fileId);
    } catch {
      // The error that led here is the one to tell.
    } finally {
      files.forget(provider, fileId);
    }
  }

  async listRemote(
    call: DriverCall,
    provider: ProviderName,
  ): Promise<Iterable<RemoteFile>> {
    const snapshot = await this.#deps.files.snapshot(call, provider);
    return snapshot.from({ prefix: "", after: "" });
  }

  requireStore(what: string): void {
    this.#deps.kept.require(what);
  }

  async fileBytesMax(provider: ProviderName): Promise<number> {
    return (await this.#deps.files.storage(provider)).fileBytesMax;
  }
}

function choosePlace(
  provider: ProviderName,
  draft: ObjectDraft,
  { format, empty }: PeekedStream,
): FilePlace {
  const foreign = format !== null && format !== provider;
  return empty || foreign || mustBeKept(targetOf(draft))
    ? { heldBy: "gateway", fileId: newKeptId(), format }
    : { heldBy: "provider", format };
}

function etagOf(meant: Meant): string {
  return meant.kind === "result" ? meant.object.etag : fileIdOf(meant.file);
}
