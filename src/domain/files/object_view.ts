import type { ObjectAddress, RemoteFile } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { ObjectHeaders, ObjectInfo } from "../object.ts";
import type { StoredFile } from "./file_index.ts";

/** A file that a caller may see, as far as the index and its holder know it. */
export type VisibleFile =
  | { readonly heldBy: "gateway"; readonly stored: StoredFile }
  | {
    readonly heldBy: "provider";
    /** Null where it was not put through the gateway. */
    readonly stored: StoredFile | null;
    readonly remote: RemoteFile;
  };

const NO_HEADERS: ObjectHeaders = {
  contentType: null,
  contentEncoding: null,
  contentDisposition: null,
  contentLanguage: null,
  cacheControl: null,
  expires: null,
  metadata: {},
  checksums: {},
};

export function fileIdOf(file: VisibleFile): string {
  return file.heldBy === "gateway" ? file.stored.fileId : file.remote.id;
}

/** The file as an S3 object under the given name. */
export function objectView(
  { bucket, key }: ObjectAddress,
  file: VisibleFile,
): ObjectInfo {
  const fileId = fileIdOf(file);
  if (file.heldBy === "gateway") {
    const { sizeBytes, createdAt, headers } = file.stored;
    return {
      bucket,
      key,
      etag: fileId,
      sizeBytes,
      modifiedAt: createdAt,
      source: { kind: "kept_file", fileId },
      headers,
    };
  }
  const { sizeBytes, createdAt, downloadable } = file.remote;
  return {
    bucket,
    key,
    etag: fileId,
    sizeBytes,
    modifiedAt: createdAt,
    source: { kind: "provider_file", fileId, downloadable },
    headers: file.stored?.headers ?? NO_HEADERS,
  };
}

/**
 * A file as its holder described it when it was put, for answers that come
 * from the index alone.
 */
export function asStored(stored: StoredFile): VisibleFile {
  if (stored.heldBy === "gateway") return { heldBy: "gateway", stored };
  const remote: RemoteFile = {
    id: stored.fileId,
    fileName: stored.fileName,
    sizeBytes: stored.sizeBytes,
    createdAt: stored.createdAt,
    expiresAt: stored.expiresAt,
    purpose: "input",
    state: "ready",
    downloadable: stored.downloadable,
  };
  return { heldBy: "provider", stored, remote };
}

export function noSuchKey(key: string): GatewayError {
  return new GatewayError(
    { kind: "no_such_key", key },
    "The specified key does not exist.",
  );
}
