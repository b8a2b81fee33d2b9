import type { RecordFormat } from "../../records/detect.ts";
import type { CallContext } from "../context.ts";
import type { DriverCall, ObjectAddress, RemoteFile } from "../driver.ts";
import type { ObjectDraft, ObjectHeaders, PutCondition } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import type { NamedFile, StoredFile } from "./file_index.ts";

/** What is known of an object before any of its bytes. */
export interface WriteTarget extends ObjectAddress {
  readonly headers: ObjectHeaders;
  readonly sizeBytes: number;
  readonly condition: PutCondition;
}

/** What a key named when its write began; null: nothing. */
export type NamedBefore = Versioned<StoredFile> | null;

/** Where a body goes, which its first record decides. */
export type FilePlace =
  | {
    readonly heldBy: "provider";
    readonly format: RecordFormat | null;
  }
  | {
    readonly heldBy: "gateway";
    readonly fileId: string;
    readonly format: RecordFormat | null;
  };

export interface StoreOptions {
  /** Under which the provider gets the file; left out: made from the key. */
  readonly fileName?: string;
  /**
   * Awaited when the last byte has been read and before anyone may take the
   * body for complete. Where it rejects, no file appears.
   */
  readonly seal?: (place: FilePlace) => Promise<void>;
}

/** Points a file's key at it; null where the key names another file by now. */
export type SaveName = (
  file: NamedFile,
  previous: NamedBefore,
) => Promise<string | null>;

/**
 * The steps of a put, in their order, for whoever has to know where a write
 * stands between them.
 */
export interface FileWriter {
  /**
   * Refuses what must not be written there, before a byte of it is read.
   * Returns what the key names at this moment.
   */
  prepare(
    call: CallContext,
    provider: ProviderName,
    target: WriteTarget,
  ): Promise<NamedBefore>;
  /** Brings the body to rest. Where it rejects, the rest goes unread. */
  store(
    call: CallContext,
    provider: ProviderName,
    draft: ObjectDraft,
    options?: StoreOptions,
  ): Promise<NamedFile>;
  /** A file that is at the provider already, as if `store` had made it. */
  adopt(
    call: CallContext,
    target: WriteTarget,
    remote: RemoteFile,
    facts: {
      readonly provider: ProviderName;
      readonly format: RecordFormat | null;
    },
  ): NamedFile;
  /**
   * Points the key at the file. The condition was true of `before`; where the
   * key has changed since, it must be true of what is there now.
   */
  name(
    call: CallContext,
    file: NamedFile,
    condition: PutCondition,
    before: NamedBefore,
    save?: SaveName,
  ): Promise<void>;
  /** Takes back what was stored, as well as it can be done. */
  discard(
    call: DriverCall,
    file: Pick<StoredFile, "provider" | "fileId" | "heldBy">,
  ): Promise<void>;
  /** Every file that the provider lists, no older than a second. */
  listRemote(
    call: DriverCall,
    provider: ProviderName,
  ): Promise<Iterable<RemoteFile>>;
  /** @throws {GatewayError} `invalid_request` where nothing can be kept. */
  requireStore(what: string): void;
  /** The provider's bound for one file. */
  fileBytesMax(provider: ProviderName): Promise<number>;
}
