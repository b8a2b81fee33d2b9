import type { ObjectAddress, ObjectBody } from "../driver.ts";
import type { FilePlace } from "../files/file_writer.ts";
import type { ObjectHeaders, PutCondition } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { ChecksumAlgorithm, UploadChecksum } from "./checksums.ts";

/** S3's limit; see "Amazon S3 multipart upload limits". */
export const PART_NUMBER_MAX = 10_000;
/** Every part but the last. */
export const PART_BYTES_MIN = 5 * 1024 * 1024;

/**
 * A multipart upload for a provider whose objects are files. Its parts are
 * kept beside it. One KV value, so under 64 KiB.
 */
export interface Upload extends ObjectAddress {
  readonly id: string;
  readonly tenant: string;
  readonly provider: ProviderName;
  readonly headers: ObjectHeaders;
  readonly checksum: UploadChecksum | null;
  readonly initiatedAt: Date;
  readonly state: UploadState;
  /**
   * Until when a file of an attempt whose end nobody saw may still turn up at
   * the provider; null where there was no such attempt.
   */
  readonly strayUntil: Date | null;
}

/**
 * open -> completing -> completed, and back to open where an attempt failed.
 * An attempt whose deadline has passed has lost its process, and may be taken
 * over.
 */
export type UploadState =
  | { readonly kind: "open" }
  | {
    readonly kind: "completing";
    readonly claimId: string;
    readonly deadlineAt: Date;
    /** Null: no byte that would complete a file has left the gateway yet. */
    readonly seal: Seal | null;
  }
  | {
    readonly kind: "completed";
    readonly planDigest: string;
    readonly result: CompletedUpload;
  }
  /** Only kept where a stray file may turn up. */
  | { readonly kind: "aborted" };

/**
 * Everything about the object that an attempt makes, written before anyone
 * can take its bytes for complete: what it takes to go on without them.
 */
export interface Seal {
  readonly planDigest: string;
  readonly sizeBytes: number;
  readonly place: FilePlace;
  readonly checksums: Readonly<Record<string, string>>;
  readonly condition: PutCondition;
}

/** A part as it rests in the object store. */
export interface UploadPart {
  readonly partNumber: number;
  readonly storeKey: string;
  readonly sizeBytes: number;
  /** MD5 in hexadecimal. */
  readonly etag: string;
  readonly modifiedAt: Date;
  /** Base64 by algorithm. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** How a caller names an upload; all of it has to be right. */
export interface UploadName extends ObjectAddress {
  readonly uploadId: string;
}

export interface UploadDraft extends ObjectAddress {
  readonly headers: ObjectHeaders;
  readonly checksum: UploadChecksum | null;
}

export interface PartDraft {
  readonly partNumber: number;
  readonly body: ObjectBody;
  /** Given in headers, and verified by the time the body closes. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** What CompleteMultipartUpload asks for. */
export interface CompletionOrder {
  readonly parts: readonly OrderedPart[];
  readonly condition: PutCondition;
  /** `x-amz-mp-object-size`; null where it was not given. */
  readonly sizeBytes: number | null;
  /** What the whole object's checksum has to be; null where not given. */
  readonly checksum: ExpectedChecksum | null;
}

export interface OrderedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** Base64 by algorithm, as the caller repeats them. */
  readonly checksums: Readonly<Record<string, string>>;
}

export interface ExpectedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; a composite one with or without its count. */
  readonly value: string;
}

export interface CompletedUpload {
  /** The file's id. */
  readonly etag: string;
  /** Base64 by algorithm; a composite one ends in `-` and a count. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** What a list of uploads shows of one. */
export interface UploadEntry extends ObjectAddress {
  readonly uploadId: string;
  readonly initiatedAt: Date;
  readonly checksum: UploadChecksum | null;
}

/** Where in the order of a bucket's uploads a page begins. */
export interface UploadPage {
  readonly bucket: string;
  readonly prefix: string;
  /** Exclusive; "" for the start. */
  readonly afterKey: string;
  /** Of the uploads of `afterKey` itself, those after this id; "": none. */
  readonly afterUploadId: string;
}
