import type { FileStorage } from "../domain/driver.ts";
import type { CopySources } from "../domain/copies/copy_sources.ts";
import type { FileObjects } from "../domain/object.ts";
import type { ProviderName } from "../domain/provider.ts";
import type { Uploads } from "../domain/uploads/uploads.ts";
import type { S3Exchange } from "./exchange.ts";

/** A request for a provider whose objects are files. */
export interface FileExchange extends S3Exchange {
  readonly provider: ProviderName;
  readonly storage: FileStorage;
  readonly files: FileObjects;
  readonly uploads: Uploads;
  readonly sources: CopySources;
  /** Buckets that the configuration maps to the provider. */
  readonly buckets: readonly string[];
  /** Told of errors that a single key of a bulk call met. */
  report(error: unknown): void;
}
