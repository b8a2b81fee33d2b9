import type { NamedFile } from "../files/file_index.ts";
import type { NamedBefore } from "../files/file_writer.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import type { Upload, UploadEntry, UploadPage, UploadPart } from "./upload.ts";

/** How a write that several conditions guard came out. */
export type Guarded =
  | { readonly kind: "done"; readonly version: string }
  /** The upload is not what it was. */
  | { readonly kind: "upload_changed" }
  /** What the write would replace is not what it was. */
  | { readonly kind: "target_changed" };

/**
 * Multipart uploads and their parts. Shared by all replicas; every method
 * reads the state as it stands, every write is atomic.
 */
export interface UploadIndex {
  /** How many of a tenant's uploads are neither completed nor aborted. */
  countOpen(tenant: string): Promise<number>;
  create(upload: Upload): Promise<void>;
  get(uploadId: string): Promise<Versioned<Upload> | null>;
  /** Null, changing nothing, where the upload is not at that version. */
  update(
    previous: Versioned<Upload>,
    next: Upload,
  ): Promise<Versioned<Upload> | null>;
  /** As `update`, and points the file's key at it in the same write. */
  complete(
    previous: Versioned<Upload>,
    next: Upload,
    file: NamedFile,
    before: NamedBefore,
  ): Promise<Guarded>;
  /** False, changing nothing, where the upload is not at that version. */
  remove(previous: Versioned<Upload>): Promise<boolean>;
  /** What a tenant's keys with a prefix have under way, in S3's order. */
  list(
    tenant: string,
    provider: ProviderName,
    page: UploadPage,
  ): AsyncIterable<UploadEntry>;
  /** Begun before a moment, the oldest first; completed ones may be left out. */
  listBegunBefore(time: Date): AsyncIterable<Versioned<Upload>>;
  /** Ids of uploads that are completing or may have a stray file. */
  listUnsettled(): AsyncIterable<string>;
  /** No upload of that id needs settling any more. */
  forgetUnsettled(uploadId: string): Promise<void>;

  /** All parts together. */
  partBytes(uploadId: string): Promise<number>;
  getPart(
    uploadId: string,
    partNumber: number,
  ): Promise<Versioned<UploadPart> | null>;
  /** Lets a part count, in place of `previous` (null: of none). */
  putPart(
    upload: Versioned<Upload>,
    part: UploadPart,
    previous: Versioned<UploadPart> | null,
  ): Promise<Guarded>;
  /** By number, from the first after `afterNumber` on. */
  listParts(
    uploadId: string,
    afterNumber: number,
  ): AsyncIterable<UploadPart>;
  removeParts(uploadId: string, partNumbers: readonly number[]): Promise<void>;
}
