import type { RecordFormat } from "../../records/detect.ts";
import type { ObjectAddress } from "../driver.ts";
import type { ObjectHeaders, ObjectListing } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";

/**
 * One file that somebody put through the gateway. Nothing in it ever changes
 * but `address`. One KV value, so under 64 KiB.
 */
export interface StoredFile {
  readonly provider: ProviderName;
  /** As callers see it: the object's ETag. */
  readonly fileId: string;
  /** Who put it. */
  readonly tenant: string;
  /** Where its tenant finds it by key; null once the key names another file. */
  readonly address: ObjectAddress | null;
  /** `gateway`: its bytes rest in the object store. */
  readonly heldBy: "provider" | "gateway";
  readonly fileName: string;
  readonly sizeBytes: number;
  /** The holder's time of creation. */
  readonly createdAt: Date;
  /** When the provider will have removed it; null: never. */
  readonly expiresAt: Date | null;
  /** The gateway's own clock, when the file was complete. */
  readonly storedAt: Date;
  readonly downloadable: boolean;
  /** Null where the first record has no known format. */
  readonly format: RecordFormat | null;
  readonly headers: ObjectHeaders;
}

/** A file that has just been put, and so has a key. */
export interface NamedFile extends StoredFile {
  readonly address: ObjectAddress;
}

/** What the index knows of a file id. */
export interface FileTrace {
  /** Null where nobody put that file through the gateway. */
  readonly stored: StoredFile | null;
  /** Set for a while after the file was deleted through the gateway. */
  readonly deletedAt: Date | null;
}

export interface DeletedFile {
  readonly fileId: string;
  readonly deletedAt: Date;
}

/** Whose files a listing shows. */
export type FileScope =
  | { readonly kind: "all" }
  | { readonly kind: "tenant"; readonly tenant: string };

export interface FileIdPage {
  readonly prefix: string;
  /** Exclusive; "" for the start. */
  readonly after: string;
}

/**
 * Who put which file, and under which key. Shared by all replicas; every
 * method reads the state as it stands, every write is atomic.
 *
 * Versions are ordered as strings: of two changes, the one acknowledged later
 * has the greater version. Lists are in the order of UTF-8 bytes.
 */
export interface FileIndex {
  /** The file that a tenant's key names; null where it names none. */
  findByKey(
    tenant: string,
    provider: ProviderName,
    address: ObjectAddress,
  ): Promise<Versioned<StoredFile> | null>;
  findById(provider: ProviderName, fileId: string): Promise<FileTrace>;
  /**
   * Points the file's address at it, where that still names `previous` (null:
   * nothing). Returns null, changing nothing, where it does not.
   */
  save(
    file: NamedFile,
    previous: Versioned<StoredFile> | null,
  ): Promise<string | null>;
  /**
   * Forgets a file, and its key where that still names it, and remembers the
   * deletion for a while, so that no replica shows the file from a provider's
   * answer that is older. `known` stands in where the file's own entry has
   * expired. Rejects with `write_conflict`.
   */
  remove(
    provider: ProviderName,
    fileId: string,
    known: StoredFile | null,
  ): Promise<void>;
  /** Files that a tenant's keys in a bucket name, by key. */
  listByKey(
    tenant: string,
    provider: ProviderName,
    page: ObjectListing,
  ): AsyncIterable<Versioned<StoredFile>>;
  /** Every file of a scope, with a key or without, by file id. */
  listById(
    scope: FileScope,
    provider: ProviderName,
    page: FileIdPage,
  ): AsyncIterable<Versioned<StoredFile>>;
  /** Files deleted of late, by file id. */
  listDeleted(
    provider: ProviderName,
    page: FileIdPage,
  ): AsyncIterable<DeletedFile>;
  /** That of the last change to any of a provider's files; "" for none. */
  latestVersion(provider: ProviderName): Promise<string>;
}
