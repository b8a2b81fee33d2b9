import type { ByteRange, ByteStream } from "./bytes.ts";
import type { CallContext } from "./context.ts";
import type { ObjectBody } from "./driver.ts";
import type { ProviderName } from "./provider.ts";

/**
 * An S3 object as a caller of openai or gemini sees it: a file of the
 * provider's, records that the gateway keeps, or a job's results.
 */
export interface ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  /** Unquoted; the provider's file id for everything but job results. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly source: ObjectSource;
  readonly headers: ObjectHeaders;
}

export type ObjectSource =
  | {
    readonly kind: "provider_file";
    readonly fileId: string;
    readonly downloadable: boolean;
  }
  | { readonly kind: "kept_file"; readonly fileId: string }
  | { readonly kind: "job_result"; readonly jobId: string };

/** What a caller gave at PutObject and gets back on Head and Get. */
export interface ObjectHeaders {
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly contentDisposition: string | null;
  readonly contentLanguage: string | null;
  readonly cacheControl: string | null;
  readonly expires: string | null;
  /** `x-amz-meta-*` without the prefix, lower-case names. */
  readonly metadata: Readonly<Record<string, string>>;
  /** `x-amz-checksum-*` without the prefix, lower-case names. */
  readonly checksums: Readonly<Record<string, string>>;
}

export interface ObjectDraft {
  readonly bucket: string;
  readonly key: string;
  readonly headers: ObjectHeaders;
  readonly body: ObjectBody;
  readonly condition: PutCondition;
}

/** PutObject's conditions, as S3 defines them; unquoted ETags. */
export interface PutCondition {
  /** True: only where nothing is there (`If-None-Match: *`). */
  readonly absent: boolean;
  /** Only over this ETag (`If-Match`). */
  readonly etag: string | null;
}

/** How a caller names an object on Get, Head and Delete. */
export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
  /** `If-Match` as given, quotes removed; may name a file by its id. */
  readonly ifMatch: string | null;
}

/**
 * Objects that live as files under provider-minted ids. One implementation
 * serves every driver whose storage is `files`.
 */
export interface FileObjects {
  /** Stores the body and points (bucket, key) at the new file. */
  put(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
  ): Promise<ObjectInfo>;
  /** Rejects with `no_such_key`. */
  find(
    call: CallContext,
    provider: ProviderName,
    name: ObjectName,
  ): Promise<ObjectInfo>;
  /** Rejects with `invalid_object_state` where the bytes are not to be had. */
  open(
    call: CallContext,
    provider: ProviderName,
    object: ObjectInfo,
    range: ByteRange | null,
  ): Promise<ByteStream>;
  /** Absent: no error. `access_denied` for a file that is only listed. */
  delete(
    call: CallContext,
    provider: ProviderName,
    name: ObjectName,
  ): Promise<void>;
  /** Everything in the bucket after `after` with `prefix`, in S3's order. */
  list(
    call: CallContext,
    provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<ObjectInfo>;
}

export interface ObjectListing {
  readonly bucket: string;
  readonly prefix: string;
  /** Exclusive; "" for the start. */
  readonly after: string;
}

/**
 * Results of the caller's jobs, shown as objects under their output URIs.
 * Every method sees only jobs that the caller may see.
 */
export interface ResultObjects {
  find(
    call: CallContext,
    provider: ProviderName,
    bucket: string,
    key: string,
  ): Promise<ObjectInfo | null>;
  open(
    call: CallContext,
    object: ObjectInfo,
    range: ByteRange | null,
  ): Promise<ByteStream>;
  list(
    call: CallContext,
    provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<ObjectInfo>;
}
