import type { ProviderName } from "./provider.ts";

/** Who signed a request, and what that credential may do. */
export interface Principal {
  readonly tenant: string;
  /** Null where the gateway is open and nothing was signed. */
  readonly accessKeyId: string | null;
  /** Sees what every tenant and every provider account holds. */
  readonly admin: boolean;
  /** Null: every provider. */
  readonly providers: readonly ProviderName[] | null;
  readonly defaultProvider: ProviderName | null;
  /** Real S3 buckets within reach: `name`, `name/prefix*` or `*`. */
  readonly buckets: readonly string[];
}

/** Facts about one call that every layer may need. */
export interface CallContext {
  /** Unique; also in the response headers and in every log line of the call. */
  readonly requestId: string;
  readonly principal: Principal;
  /** Aborted when the client is gone or the call's time is up. */
  readonly signal: AbortSignal;
  /** AWS region named by the call's signature, or the configured default. */
  readonly region: string;
}
