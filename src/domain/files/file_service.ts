import type { ByteRange, ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type { ObjectAddress, ProviderDriver } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type {
  FileObjects,
  ObjectDraft,
  ObjectInfo,
  ObjectListing,
  ObjectName,
  ResultObjects,
} from "../object.ts";
import type { ObjectStore } from "../object_store.ts";
import { pause } from "../pause.ts";
import type { ProviderName } from "../provider.ts";
import { FileContent } from "./file_content.ts";
import { FileDeletion } from "./file_deletion.ts";
import type { FileIndex } from "./file_index.ts";
import { FileListing } from "./file_listing.ts";
import { FileUploads } from "./file_uploads.ts";
import type { FileWriter } from "./file_writer.ts";
import type { InputFile, InputFiles } from "./input_files.ts";
import { isKeptId, KeptFiles } from "./kept_files.ts";
import { FileNaming, type OwnsFile } from "./naming.ts";
import {
  fileIdOf,
  noSuchKey,
  objectView,
  type VisibleFile,
} from "./object_view.ts";
import { ProviderFiles } from "./provider_files.ts";

/** No faster than the cache of the provider's answers lets a change be seen. */
const READY_POLL_MS = 1000;

export interface FileServiceDeps {
  readonly drivers: (provider: ProviderName) => Promise<ProviderDriver>;
  readonly index: FileIndex;
  /** Null where the gateway has nowhere to keep bytes. */
  readonly store: ObjectStore | null;
  readonly results: ResultObjects;
  /** Left out: no file belongs to a caller by a job. */
  readonly ownsFile?: OwnsFile;
  readonly now?: () => Date;
  readonly pause?: (timeMs: number, signal: AbortSignal) => Promise<void>;
}

export interface FileServiceSurface extends FileObjects, InputFiles {
  /** The steps of a put, for writes that outlive one request. */
  readonly writer: FileWriter;
}

/** The files of every provider that stores files, as objects and as inputs. */
export function createFileObjects(deps: FileServiceDeps): FileServiceSurface {
  return new FileService(deps);
}

class FileService implements FileServiceSurface {
  readonly #files: ProviderFiles;
  readonly #naming: FileNaming;
  readonly #uploads: FileUploads;
  readonly #listing: FileListing;
  readonly #deletion: FileDeletion;
  readonly #content: FileContent;
  readonly #now: () => Date;
  readonly #pause: (timeMs: number, signal: AbortSignal) => Promise<void>;

  constructor(options: FileServiceDeps) {
    this.#now = options.now ?? (() => new Date());
    this.#pause = options.pause ?? pause;
    this.#files = new ProviderFiles({ ...options, now: this.#now });
    const deps = {
      index: options.index,
      results: options.results,
      ownsFile: options.ownsFile ?? ownsNone,
      files: this.#files,
      kept: new KeptFiles(options.store),
      now: this.#now,
      pause: this.#pause,
    };
    this.#naming = new FileNaming(deps);
    const parts = { ...deps, naming: this.#naming };
    this.#uploads = new FileUploads(parts);
    this.#listing = new FileListing(parts);
    this.#deletion = new FileDeletion(parts);
    this.#content = new FileContent(parts);
  }

  get writer(): FileWriter {
    return this.#uploads;
  }

  put(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
  ): Promise<ObjectInfo> {
    return this.#uploads.put(call, provider, draft);
  }

  async find(
    call: CallContext,
    provider: ProviderName,
    name: ObjectName,
  ): Promise<ObjectInfo> {
    const meant = await this.#naming.resolve(call, provider, name);
    if (meant === null) throw noSuchKey(name.key);
    return meant.kind === "result"
      ? meant.object
      : objectView(name, meant.file);
  }

  open(
    call: CallContext,
    provider: ProviderName,
    object: ObjectInfo,
    range: ByteRange | null,
  ): Promise<ByteStream> {
    return this.#content.open(call, provider, object, range);
  }

  delete(
    call: CallContext,
    provider: ProviderName,
    name: ObjectName,
  ): Promise<void> {
    return this.#deletion.delete(call, provider, name);
  }

  list(
    call: CallContext,
    provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<ObjectInfo> {
    return this.#listing.list(call, provider, page);
  }

  async findInput(
    call: CallContext,
    provider: ProviderName,
    address: ObjectAddress,
  ): Promise<InputFile | null> {
    const file = await this.#naming.findByKey(call, provider, address);
    return file === null ? null : inputOf(file);
  }

  async findFile(
    call: CallContext,
    provider: ProviderName,
    fileId: string,
  ): Promise<InputFile | null> {
    const file = await this.#naming.findById(call, provider, fileId);
    return file === null ? null : inputOf(file);
  }

  async waitUntilReady(
    call: CallContext,
    provider: ProviderName,
    fileId: string,
    timeoutMs: number,
  ): Promise<void> {
    if (isKeptId(fileId)) return;
    const deadlineMs = this.#now().getTime() + timeoutMs;
    for (;;) {
      const remote = await this.#files.get(call, provider, fileId);
      if (remote === null) throw unusable(fileId, "is gone");
      if (remote.state === "ready") return;
      if (remote.state === "failed") {
        throw unusable(fileId, `could not be processed by "${provider}"`);
      }
      const restMs = deadlineMs - this.#now().getTime();
      if (restMs <= 0) throw stillProcessing(provider, fileId);
      await this.#pause(Math.min(READY_POLL_MS, restMs), call.signal);
    }
  }

  openInput(
    call: CallContext,
    provider: ProviderName,
    { fileId, heldBy }: InputFile,
  ): Promise<ByteStream> {
    return heldBy === "gateway"
      ? this.#content.openKept(fileId, null, fileId)
      : this.#content.openRemote(call, provider, fileId, fileId);
  }
}

function ownsNone(): Promise<boolean> {
  const owned = false;
  return Promise.resolve(owned);
}

function inputOf(file: VisibleFile): InputFile {
  const { stored, heldBy } = file;
  const fileId = fileIdOf(file);
  const format = stored?.format ?? null;
  if (file.heldBy === "gateway") {
    const { sizeBytes, fileName } = file.stored;
    return { fileId, sizeBytes, heldBy, format, fileName };
  }
  const { sizeBytes, fileName } = file.remote;
  return { fileId, sizeBytes, heldBy, format, fileName: fileName ?? fileId };
}

function unusable(fileId: string, reason: string): GatewayError {
  return new GatewayError(
    { kind: "invalid_request" },
    `The file "${fileId}" ${reason}; upload it again.`,
  );
}

function stillProcessing(provider: ProviderName, fileId: string): GatewayError {
  return new GatewayError(
    { kind: "upstream_timeout" },
    `"${provider}" is still processing the file "${fileId}"; try again later.`,
  );
}
