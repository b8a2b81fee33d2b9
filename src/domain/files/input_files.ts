import type { RecordFormat } from "../../records/detect.ts";
import type { ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type { ObjectAddress } from "../driver.ts";
import type { ProviderName } from "../provider.ts";

/** A file that a job can read its records from. */
export interface InputFile {
  readonly fileId: string;
  readonly sizeBytes: number;
  readonly heldBy: "provider" | "gateway";
  /** Null where unknown: no known format, or not put through the gateway. */
  readonly format: RecordFormat | null;
  readonly fileName: string;
}

/** Files as inputs of jobs; only those that the caller may see. */
export interface InputFiles {
  /** The file that the caller put under a key; null where there is none. */
  findInput(
    call: CallContext,
    provider: ProviderName,
    address: ObjectAddress,
  ): Promise<InputFile | null>;
  /** The file with an id; null where there is none. */
  findFile(
    call: CallContext,
    provider: ProviderName,
    fileId: string,
  ): Promise<InputFile | null>;
  /**
   * Resolves once the provider has processed the file. Rejects with
   * `invalid_request` where it could not or has no such file, and with
   * `upstream_timeout` where it takes longer than `timeoutMs`.
   */
  waitUntilReady(
    call: CallContext,
    provider: ProviderName,
    fileId: string,
    timeoutMs: number,
  ): Promise<void>;
  /** Rejects with `invalid_object_state` where the bytes are not to be had. */
  openInput(
    call: CallContext,
    provider: ProviderName,
    file: InputFile,
  ): Promise<ByteStream>;
}
