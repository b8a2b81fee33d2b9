import type { CallContext } from "../context.ts";
import type { ProviderName } from "../provider.ts";
import type {
  CompletedUpload,
  CompletionOrder,
  PartDraft,
  UploadDraft,
  UploadEntry,
  UploadName,
  UploadPage,
  UploadPart,
} from "./upload.ts";

/**
 * Multipart uploads for providers whose objects are files. Whoever does not
 * own an upload, or names it by another bucket or key, gets `no_such_upload`.
 */
export interface Uploads {
  /** Rejects with `quota_exceeded` where the tenant has too many open ones. */
  create(
    call: CallContext,
    provider: ProviderName,
    draft: UploadDraft,
  ): Promise<UploadEntry>;
  /** Keeps a part, in place of one with the same number. */
  putPart(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
    draft: PartDraft,
  ): Promise<UploadPart>;
  /**
   * Makes one file of the parts; asked again, answers as the first time. Goes
   * on where the caller does not wait for it.
   */
  complete(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
    order: CompletionOrder,
  ): Promise<CompletedUpload>;
  abort(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
  ): Promise<void>;
  /** An upload that is neither completed nor aborted. */
  find(
    call: CallContext,
    provider: ProviderName,
    name: UploadName,
  ): Promise<UploadEntry>;
  /** Of an upload that `find` gave; by number, after `afterNumber`. */
  listParts(uploadId: string, afterNumber: number): AsyncIterable<UploadPart>;
  /** The caller's own, by key and then by age. */
  list(
    call: CallContext,
    provider: ProviderName,
    page: UploadPage,
  ): AsyncIterable<UploadEntry>;
}
