import type { ByteRange, ByteStream } from "../bytes.ts";
import type { CallContext, Principal } from "../context.ts";
import type { ObjectAddress } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { FileObjects, ObjectHeaders } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { Providers } from "../providers.ts";
import { findInS3 } from "./s3_source.ts";

/** How a caller names what is to be copied. */
export interface SourceName extends ObjectAddress {
  /** Null or `null`: the one there is. */
  readonly versionId: string | null;
}

/** An object to copy from, wherever it lies. */
export interface CopySource extends ObjectAddress {
  readonly provider: ProviderName;
  /** Unquoted. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly headers: ObjectHeaders;
  /** Rejects with `invalid_object_state` where the bytes are not to be had. */
  open(range: ByteRange | null): Promise<ByteStream>;
}

/** Finds sources of copies in any provider. */
export interface CopySources {
  /** Where a copy's source bucket lies, as far as its name tells. */
  providerOf(destination: ProviderName, bucket: string): ProviderName;
  /**
   * The object in the destination's provider, unless the configuration maps
   * its bucket to another one; what is not there is looked for in real S3,
   * where the caller may read it. Rejects with `no_such_key`.
   */
  find(
    call: CallContext,
    destination: ProviderName,
    name: SourceName,
  ): Promise<CopySource>;
}

export interface CopySourcesDeps {
  readonly files: FileObjects;
  readonly providers: Providers;
  /** Whether the credential's buckets include the object. */
  readonly mayRead: (principal: Principal, address: ObjectAddress) => boolean;
}

export function createCopySources(deps: CopySourcesDeps): CopySources {
  return new Sources(deps);
}

class Sources implements CopySources {
  readonly #deps: CopySourcesDeps;

  constructor(deps: CopySourcesDeps) {
    this.#deps = deps;
  }

  providerOf(destination: ProviderName, bucket: string): ProviderName {
    return this.#deps.providers.mappedBucket(bucket) ?? destination;
  }

  async find(
    call: CallContext,
    destination: ProviderName,
    name: SourceName,
  ): Promise<CopySource> {
    const mapped = this.#deps.providers.mappedBucket(name.bucket);
    if (mapped !== null) return await this.#findIn(call, mapped, name);
    try {
      return await this.#findIn(call, destination, name);
    } catch (error) {
      const source = isNoSuchKey(error)
        ? await this.#findElsewhere(call, name)
        : null;
      if (source === null) throw error;
      return source;
    }
  }

  async #findIn(
    call: CallContext,
    provider: ProviderName,
    name: SourceName,
  ): Promise<CopySource> {
    const { files, providers } = this.#deps;
    const { principal } = call;
    // The credential must be one that may use the source's provider, too.
    providers.choose({ header: provider, bucket: null, principal });
    const { storage } = await providers.driver(provider);
    switch (storage.kind) {
      case "none":
        throw new GatewayError({ kind: "unsupported" }, storage.reason);
      case "objects":
        this.#requireReach(principal, name);
        return await findInS3(call, storage, name);
      case "files": {
        refuseVersion(name);
        const { bucket, key } = name;
        const object = await files
          .find(call, provider, { bucket, key, ifMatch: null });
        const { etag, sizeBytes, modifiedAt, headers } = object;
        return {
          provider,
          bucket,
          key,
          etag,
          sizeBytes,
          modifiedAt,
          headers,
          open: (range) => files.open(call, provider, object, range),
        };
      }
    }
  }

  /** Null where real S3 does not have it, or not for this caller. */
  async #findElsewhere(
    call: CallContext,
    name: SourceName,
  ): Promise<CopySource | null> {
    const { mayRead } = this.#deps;
    const { providers: allowed } = call.principal;
    const mayUse = allowed === null || allowed.includes("bedrock");
    if (!mayUse || !mayRead(call.principal, name)) return null;
    try {
      return await this.#findIn(call, "bedrock", name);
    } catch (error) {
      if (isAbsence(error)) return null;
      throw error;
    }
  }

  #requireReach(principal: Principal, name: SourceName): void {
    if (this.#deps.mayRead(principal, name)) return;
    throw new GatewayError(
      { kind: "access_denied" },
      "Access Denied: this credential's buckets do not include " +
        `"${name.bucket}", from which is to be copied.`,
    );
  }
}

function isNoSuchKey(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "no_such_key";
}

/**
 * Real S3 was only a guess: where it says no, or the gateway has no business
 * there, the object is not there.
 */
function isAbsence(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  switch (error.failure.kind) {
    case "no_such_key":
    case "no_such_bucket":
    case "access_denied":
    case "invalid_request":
      return true;
    default:
      return false;
  }
}

/** Files have no versions; S3 calls the only one `null`. */
function refuseVersion({ versionId }: SourceName): void {
  if (versionId === null || versionId === "null") return;
  throw new GatewayError(
    {
      kind: "invalid_argument",
      argument: "versionId",
      value: versionId.slice(0, 128),
    },
    "Invalid version id specified",
  );
}
