import { errorFields, type Log } from "../../telemetry/log.ts";
import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import type { FileIndex } from "../files/file_index.ts";
import type { FileWriter } from "../files/file_writer.ts";
import { checkSize } from "../files/object_bounds.ts";
import type { ObjectStore } from "../object_store.ts";
import { pause } from "../pause.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import type { ChecksumFactory } from "./checksums.ts";
import { isClaimed } from "./claim.ts";
import {
  busy,
  Completion,
  type CompletionDeps,
  noSuchUpload,
  WAIT_POLL_MS,
} from "./completion.ts";
import { PartBytes } from "./part_bytes.ts";
import { PartRemoval } from "./part_removal.ts";
import { PartWriter } from "./part_writer.ts";
import { StrayFiles } from "./stray_files.ts";
import type {
  CompletedUpload,
  CompletionOrder,
  PartDraft,
  Upload,
  UploadDraft,
  UploadEntry,
  UploadName,
  UploadPage,
  UploadPart,
} from "./upload.ts";
import { isUploadId, newUploadId } from "./upload_id.ts";
import type { UploadIndex } from "./upload_index.ts";
import { UploadSweeper, type UploadSweepReport } from "./upload_sweeper.ts";
import type { Uploads } from "./uploads.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** How long an abort waits for a completion of the same upload. */
const ABORT_WAIT_MAX_MS = 30_000;

export interface UploadDeps {
  readonly index: UploadIndex;
  readonly fileIndex: Pick<FileIndex, "findById">;
  readonly files: FileWriter;
  /** Null where the gateway has nowhere to keep bytes. */
  readonly store: ObjectStore | null;
  readonly createSum: ChecksumFactory;
  readonly log?: Log;
  readonly now?: () => Date;
  readonly pause?: (timeMs: number, signal: AbortSignal) => Promise<void>;
  readonly limits?: Partial<UploadLimits>;
}

export interface UploadLimits {
  /** Open uploads that one tenant may have. */
  readonly uploadsMax: number;
  /** How long an upload may stay open before it is swept. */
  readonly uploadAgeMaxMs: number;
  /** How long an attempt that gives no sign of life keeps its upload. */
  readonly claimMs: number;
  /** How long after an attempt its file may still turn up. */
  readonly strayMs: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  uploadsMax: 1000,
  uploadAgeMaxMs: 7 * DAY_MS,
  claimMs: 20_000,
  strayMs: 2 * 60 * 1000,
};

/** Multipart uploads whose parts rest in the object store until the end. */
export class UploadService implements Uploads {
  readonly #deps: CompletionDeps;
  readonly #limits: UploadLimits;
  readonly #completion: Completion;
  readonly #writer: PartWriter;
  readonly #sweeper: UploadSweeper;
  readonly #log: Log | null;

  constructor(options: UploadDeps) {
    const { index, files, createSum, store, fileIndex } = options;
    const bytes = new PartBytes(store, createSum);
    this.#limits = { ...UPLOAD_LIMITS, ...options.limits };
    this.#log = options.log ?? null;
    this.#deps = {
      ...this.#limits,
      index,
      files,
      bytes,
      createSum,
      strays: new StrayFiles(files, fileIndex),
      removal: new PartRemoval(index, bytes),
      now: options.now ?? (() => new Date()),
      pause: options.pause ?? pause,
    };
    this.#completion = new Completion(this.#deps);
    this.#writer = new PartWriter({ index, bytes, createSum, files });
    this.#sweeper = new UploadSweeper({
      ...this.#deps,
      ...this.#limits,
      fileIndex,
      store,
      log: this.#log,
    });
  }

  async create(
    call: CallContext,
    provider: ProviderName,
    draft: UploadDraft,
  ): Promise<UploadEntry> {
    const { index, files, bytes, now } = this.#deps;
    const { tenant } = call.principal;
    bytes.require();
    // What can never be written there had better be known before its parts.
    await files.prepare(call, provider, {
      ...draft,
      sizeBytes: 1,
      condition: { absent: false, etag: null },
    });
    const { uploadsMax } = this.#limits;
    if (await index.countOpen(tenant) >= uploadsMax) {
      throw tooMany(uploadsMax);
    }
    const initiatedAt = now();
    const upload: Upload = {
      ...draft,
      id: newUploadId(initiatedAt),
      tenant,
      provider,
      initiatedAt,
      state: { kind: "open" },
      strayUntil: null,
    };
    await index.create(upload);
    return entryOf(upload);
  }

  async putPart(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
    draft: PartDraft,
  ): Promise<UploadPart> {
    const find = () => this.#findOpen(call, provider, name);
    const upload = await find();
    const bytesMax = await this.#deps.files.fileBytesMax(provider);
    checkSize(draft.body.sizeBytes, bytesMax);
    return await this.#writer.put(call, upload, draft, { find, bytesMax });
  }

  async complete(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
    order: CompletionOrder,
  ): Promise<CompletedUpload> {
    return await this.#completion.complete(
      call,
      order,
      () => this.#find(call, provider, name),
    );
  }

  async abort(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
  ): Promise<void> {
    const { now, pause: wait } = this.#deps;
    const giveUpAtMs = now().getTime() + ABORT_WAIT_MAX_MS;
    for (;;) {
      const upload = await this.#find(call, provider, name);
      if (upload.value.state.kind === "completed") {
        throw noSuchUpload(name.uploadId);
      }
      if (isClaimed(upload.value, now())) {
        if (now().getTime() > giveUpAtMs) throw busy();
        await wait(WAIT_POLL_MS, call.signal);
      } else if (await this.#sweeper.abort(upload)) break;
    }
  }

  async find(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
  ): Promise<UploadEntry> {
    const { value } = await this.#find(call, provider, name);
    if (value.state.kind === "completed") throw noSuchUpload(name.uploadId);
    return entryOf(value);
  }

  listParts(uploadId: string, afterNumber: number): AsyncIterable<UploadPart> {
    return this.#deps.index.listParts(uploadId, afterNumber);
  }

  list(
    call: CallContext,
    provider: ProviderName,
    page: UploadPage,
  ): AsyncIterable<UploadEntry> {
    return this.#deps.index.list(call.principal.tenant, provider, page);
  }

  /**
   * A bounded share of what processes that died, and clients that went away,
   * have left: attempts to settle, uploads and bytes that nobody needs.
   * Failures are logged, and tried again the next time.
   */
  async sweep(now: Date = this.#deps.now()): Promise<UploadSweepReport> {
    return await this.#sweeper.sweep(now);
  }

  /** Resolves when no completion is under way any more. */
  async drain(): Promise<void> {
    await this.#completion.drain();
  }

  /** One that is not aborted; rejects with `no_such_upload`. */
  async #find(
    call: CallContext,
    provider: ProviderName,
    { bucket, key, uploadId }: UploadName,
  ): Promise<Versioned<Upload>> {
    const upload = isUploadId(uploadId)
      ? await this.#deps.index.get(uploadId)
      : null;
    const isTheirs = upload !== null &&
      upload.value.tenant === call.principal.tenant &&
      upload.value.provider === provider && upload.value.bucket === bucket &&
      upload.value.key === key && upload.value.state.kind !== "aborted";
    if (!isTheirs) throw noSuchUpload(uploadId);
    return upload;
  }

  /** One that takes parts; rejects with `conflict` while it is completed. */
  async #findOpen(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
  ): Promise<Versioned<Upload>> {
    for (;;) {
      const upload = await this.#find(call, provider, name);
      const { state } = upload.value;
      if (state.kind === "open") return upload;
      if (state.kind === "completed") throw noSuchUpload(name.uploadId);
      if (isClaimed(upload.value, this.#deps.now())) throw busy();
      await this.#sweeper.reopen(upload).catch((error: unknown) => {
        this.#log?.warn("upload not settled", errorFields(error));
        throw error;
      });
    }
  }
}

function entryOf(
  { bucket, key, id, initiatedAt, checksum }: Upload,
): UploadEntry {
  return { bucket, key, uploadId: id, initiatedAt, checksum };
}

function tooMany(uploadsMax: number): GatewayError {
  return new GatewayError(
    { kind: "quota_exceeded" },
    `You have ${uploadsMax} multipart uploads open, which is as many as this ` +
      "gateway keeps; complete or abort some of them first.",
  );
}
