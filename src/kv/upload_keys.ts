import type { ProviderName } from "../domain/provider.ts";
import { sortableBytes, stringRange } from "./file_keys.ts";

/** Every key under which multipart uploads and their parts live. */
export const UPLOAD_KEYS = {
  upload: (uploadId: string): Deno.KvKey => ["upload", uploadId],
  /** Uploads that are neither completed nor aborted. */
  open: (
    tenant: string,
    provider: ProviderName,
    bucket: string,
    key: string,
    uploadId: string,
  ): Deno.KvKey => [
    ...UPLOAD_KEYS.openOf(tenant, provider, bucket),
    sortableBytes(key),
    uploadId,
  ],
  openOf: (
    tenant: string,
    provider: ProviderName,
    bucket: string,
  ): Deno.KvKey => ["upload_open", tenant, provider, bucket],
  openCount: (tenant: string): Deno.KvKey => ["upload_open_count", tenant],
  /** Uploads that are completing or may have a stray file. */
  unsettled: (uploadId: string): Deno.KvKey => ["upload_unsettled", uploadId],
  allUnsettled: ["upload_unsettled"] satisfies Deno.KvKey,
  part: (uploadId: string, partNumber: number): Deno.KvKey => [
    ...UPLOAD_KEYS.parts(uploadId),
    partNumber,
  ],
  parts: (uploadId: string): Deno.KvKey => ["upload_part", uploadId],
  /** The bytes of all parts together. */
  partBytes: (uploadId: string): Deno.KvKey => ["upload_part_bytes", uploadId],
} as const;

/** S3's bound on a key in UTF-8. */
const KEY_BYTES_MAX = 1024;
/** Far longer than any upload's id. */
const ID_LENGTH_MAX = 128;

/** The smallest text behind another one. */
function behind(text: string): string {
  return `${text}\0`;
}

/** Uploads begun before a moment, given the ids that begin with it. */
export function uploadsBefore(firstId: string): Deno.KvListSelector {
  return { start: UPLOAD_KEYS.upload(""), end: UPLOAD_KEYS.upload(firstId) };
}

export function partsAfter(
  uploadId: string,
  afterNumber: number,
): Deno.KvListSelector {
  return {
    prefix: UPLOAD_KEYS.parts(uploadId),
    start: UPLOAD_KEYS.part(uploadId, afterNumber + 1),
  };
}

/**
 * Where a page of a bucket's open uploads lies, in order: what is left of the
 * uploads of `afterKey`, then those of the keys behind it.
 */
export function openRanges(
  folder: Deno.KvKey,
  page: {
    readonly prefix: string;
    readonly afterKey: string;
    readonly afterUploadId: string;
  },
): Deno.KvListSelector[] {
  const { prefix, afterKey, afterUploadId } = page;
  const behindKey = stringRange(folder, { prefix, after: afterKey });
  const keyPart = sortableBytes(afterKey);
  // Nothing is left of a key, or an id, that is too long to exist.
  const hasRest = afterUploadId !== "" && afterKey.startsWith(prefix) &&
    keyPart.length <= KEY_BYTES_MAX && afterUploadId.length <= ID_LENGTH_MAX;
  const sameKey = [...folder, keyPart];
  const rest = hasRest
    ? { prefix: sameKey, start: [...sameKey, behind(afterUploadId)] }
    : null;
  return [rest, behindKey].filter((range) => range !== null);
}
