import type { ByteRange, ByteStream } from "./bytes.ts";

/** What the store knows of one object without reading it. */
export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/**
 * Where bytes rest with the gateway: records that wait to be translated,
 * results already fetched. Keys are `/`-separated segments of
 * `[A-Za-z0-9._-]`, chosen by the gateway and never by a caller.
 *
 * Every write appears whole or not at all, also across SIGKILL. Methods reject
 * with GatewayError: `storage_full` where there is no room,
 * `upstream_unavailable` where the store cannot be reached.
 */
export interface ObjectStore {
  /** For messages and health: `file` or `s3`. */
  readonly kind: "file" | "s3";
  /**
   * Stores `body` under `key`, replacing what was there. A body that errors
   * leaves what was there untouched.
   */
  put(
    key: string,
    body: ByteStream,
    signal?: AbortSignal,
  ): Promise<StoredObject>;
  /** Null where nothing is stored under `key`. */
  head(key: string): Promise<StoredObject | null>;
  /** Opens the whole object, or a range that lies within it; null if absent. */
  open(key: string, range?: ByteRange): Promise<ByteStream | null>;
  /** Idempotent. */
  delete(key: string): Promise<void>;
  /** Every object whose key starts with `prefix`, in key order. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Rejects where the store cannot be written; says why and how to mend it. */
  probe(): Promise<void>;
  close(): Promise<void>;
}
