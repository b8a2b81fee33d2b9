import { type PeekedStream, peekFormat } from "../../records/detect.ts";
import type { CallContext } from "../context.ts";
import type { FileStorage } from "../driver.ts";
import { GatewayError, isOutcomeUnknown } from "../failure.ts";
import type {
  ObjectDraft,
  ObjectHeaders,
  ObjectInfo,
  ResultObjects,
} from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import type { FileIndex, NamedFile, StoredFile } from "./file_index.ts";
import { providerFileName } from "./file_name.ts";
import { type KeptFiles, newKeptId } from "./kept_files.ts";
import { keySizeBytes, lastSegment } from "./key_order.ts";
import type { FileNaming, Meant } from "./naming.ts";
import { asStored, fileIdOf, objectView } from "./object_view.ts";
import type { ProviderFiles } from "./provider_files.ts";
import { checkCondition, resultsAreReadOnly } from "./write_conditions.ts";

/** S3's bound on a key; see "Naming Amazon S3 objects". */
const KEY_BYTES_MAX = 1024;

/**
 * All headers of an object together, as JSON. S3 bounds the metadata alone, at
 * 2 KB; this also bounds the rest, far below what one KV value holds.
 */
const HEADERS_BYTES_MAX = 16 * 1024;

/** Each lost attempt means that somebody else's put of the key won. */
const NAME_ATTEMPTS_MAX = 100;
const NAME_PAUSE_MAX_MS = 20;

const JSON_LINES_TYPE = "application/jsonl";

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
export class FileUploads {
  readonly #deps: FileUploadsDeps;

  constructor(deps: FileUploadsDeps) {
    this.#deps = deps;
  }

  async put(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
  ): Promise<ObjectInfo> {
    const storage = await this.#deps.files.storage(provider);
    checkBounds(draft, storage);
    const before = await this.#checkTarget(call, provider, draft);
    if (mustBeKept(draft)) this.#deps.kept.require("An object without records");
    const file = await this.#store(call, provider, storage, draft);
    try {
      await this.#name(call, file, draft, before);
    } catch (error) {
      // The entry may have been written for all that is known: then the file
      // must stay.
      if (!isOutcomeUnknown(error)) await this.#discard(call, storage, file);
      throw error;
    }
    return objectView(file.address, asStored(file));
  }

  /**
   * Refuses what must not be written there, before a byte of it is read.
   * Returns what the key names at this moment.
   */
  async #checkTarget(
    call: CallContext,
    provider: ProviderName,
    { bucket, key, condition }: ObjectDraft,
  ): Promise<Versioned<StoredFile> | null> {
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

  async #store(
    call: CallContext,
    provider: ProviderName,
    storage: FileStorage,
    draft: ObjectDraft,
  ): Promise<NamedFile> {
    const peeked = await peekFormat(draft.body.stream);
    const foreign = peeked.format !== null && peeked.format !== provider;
    try {
      return peeked.empty || foreign || mustBeKept(draft)
        ? await this.#keep(call, provider, draft, peeked)
        : await this.#upload(call, provider, storage, draft, peeked);
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
    { format, stream }: PeekedStream,
  ): Promise<NamedFile> {
    this.#deps.kept.require(
      format === null
        ? "An object without records"
        : `A file in ${format}'s record format for the provider "${provider}"`,
    );
    const fileId = newKeptId();
    const stored = await this.#deps.kept.put(fileId, stream, call.signal);
    return this.#named(call, provider, draft, {
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
    storage: FileStorage,
    draft: ObjectDraft,
    { format, stream }: PeekedStream,
  ): Promise<NamedFile> {
    const fileName = providerFileName(draft.key);
    const { sizeBytes } = draft.body;
    const contentType = contentTypeOf(draft, format);
    const remote = await storage.putFile(
      call,
      { fileName, sizeBytes, contentType },
      stream,
    );
    this.#deps.files.remember(provider, remote);
    return this.#named(call, provider, draft, {
      fileId: remote.id,
      heldBy: "provider",
      fileName: remote.fileName ?? fileName,
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
    draft: ObjectDraft,
    file: Omit<
      StoredFile,
      "provider" | "tenant" | "address" | "storedAt" | "headers"
    >,
  ): NamedFile {
    return {
      ...file,
      provider,
      tenant: call.principal.tenant,
      address: { bucket: draft.bucket, key: draft.key },
      storedAt: this.#deps.now(),
      headers: headersOf(draft),
    };
  }

  /**
   * Points the key at the file. The condition was true of `before`; where the
   * key has changed since, it must be true of what is there now.
   */
  async #name(
    call: CallContext,
    file: NamedFile,
    { condition }: ObjectDraft,
    before: Versioned<StoredFile> | null,
  ): Promise<void> {
    const { index, pause } = this.#deps;
    const { tenant, provider, address } = file;
    let previous = before;
    for (let attempt = 1; attempt <= NAME_ATTEMPTS_MAX; attempt++) {
      if (await index.save(file, previous) !== null) return;
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

  /** Takes back what was stored; a file left over is only listed by its id. */
  async #discard(
    call: CallContext,
    storage: FileStorage,
    { provider, fileId, heldBy }: NamedFile,
  ): Promise<void> {
    const { files, kept } = this.#deps;
    // Also for a caller who has gone.
    const { signal } = new AbortController();
    const { requestId } = call;
    const deletion = heldBy === "gateway"
      ? kept.delete(fileId)
      : storage.deleteFile({ requestId, signal }, fileId);
    await deletion.catch(() => {});
    files.forget(provider, fileId);
  }
}

/** What never goes to a provider, whatever is in it. */
function mustBeKept({ key, body }: ObjectDraft): boolean {
  return body.sizeBytes === 0 || key.endsWith("/");
}

function checkBounds(draft: ObjectDraft, storage: FileStorage): void {
  const { body: { sizeBytes }, headers, key } = draft;
  const bytesMax = storage.fileBytesMax;
  if (sizeBytes > bytesMax) {
    throw new GatewayError(
      { kind: "entity_too_large", sizeBytes, bytesMax },
      `The object has ${sizeBytes} bytes; the provider takes at most ` +
        `${bytesMax}.`,
    );
  }
  const keyBytes = keySizeBytes(key);
  if (keyBytes > KEY_BYTES_MAX) {
    throw new GatewayError(
      { kind: "key_too_long", sizeBytes: keyBytes, bytesMax: KEY_BYTES_MAX },
      "Your key is too long",
    );
  }
  const headersBytes = keySizeBytes(JSON.stringify(headers));
  if (headersBytes > HEADERS_BYTES_MAX) {
    throw new GatewayError(
      {
        kind: "metadata_too_large",
        sizeBytes: headersBytes,
        bytesMax: HEADERS_BYTES_MAX,
      },
      "Your metadata headers exceed the maximum allowed metadata size",
    );
  }
}

function etagOf(meant: Meant): string {
  return meant.kind === "result" ? meant.object.etag : fileIdOf(meant.file);
}

/** The client's headers, with a checksum that came behind the body. */
function headersOf({ headers, body }: ObjectDraft): ObjectHeaders {
  if (body.trailer === undefined) return headers;
  const name = body.trailer.name.toLowerCase().replace("x-amz-checksum-", "");
  const checksums = { ...headers.checksums, [name]: body.trailer.value() };
  return { ...headers, checksums };
}

/** Records are JSON lines, whatever an S3 client calls them. */
function contentTypeOf(
  { headers, key }: ObjectDraft,
  format: StoredFile["format"],
): string {
  if (format !== null || key.endsWith(".jsonl")) return JSON_LINES_TYPE;
  return headers.contentType ?? "application/octet-stream";
}
