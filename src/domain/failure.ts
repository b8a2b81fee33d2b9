/**
 * Every way in which a call can fail, as data. Front ends own one table each
 * that turns a kind into its wire form; nothing else decides a status code.
 */
export type Failure =
  // What the caller sent.
  | {
    readonly kind: "invalid_argument";
    readonly argument: string;
    readonly value?: string;
  }
  | { readonly kind: "invalid_request" }
  | { readonly kind: "invalid_uri" }
  | { readonly kind: "invalid_bucket_name"; readonly bucket: string }
  | {
    readonly kind: "key_too_long";
    readonly sizeBytes: number;
    readonly bytesMax: number;
  }
  | {
    readonly kind: "metadata_too_large";
    readonly sizeBytes: number;
    readonly bytesMax: number;
  }
  | { readonly kind: "malformed_xml" }
  | { readonly kind: "malformed_json" }
  | { readonly kind: "unsupported" }
  | { readonly kind: "method_not_allowed" }
  // Bodies and their integrity.
  | { readonly kind: "missing_content_length" }
  | {
    readonly kind: "entity_too_large";
    readonly sizeBytes?: number;
    readonly bytesMax: number;
  }
  | {
    readonly kind: "entity_too_small";
    readonly sizeBytes: number;
    readonly bytesMin: number;
  }
  | {
    readonly kind: "invalid_part";
    readonly uploadId: string;
    readonly partNumber: number;
    readonly etag: string;
  }
  | { readonly kind: "invalid_part_order"; readonly uploadId: string }
  | { readonly kind: "incomplete_body" }
  | { readonly kind: "bad_digest"; readonly algorithm: string }
  | { readonly kind: "invalid_digest"; readonly algorithm: string }
  | { readonly kind: "payload_hash_mismatch" }
  | { readonly kind: "request_timeout" }
  // Conditions and ranges.
  | { readonly kind: "precondition_failed"; readonly condition: string }
  | { readonly kind: "not_modified"; readonly etag: string }
  | { readonly kind: "invalid_range"; readonly sizeBytes: number }
  | { readonly kind: "conflict" }
  | { readonly kind: "write_conflict" }
  // What is not there, or not to be had.
  | { readonly kind: "no_such_bucket"; readonly bucket: string }
  | { readonly kind: "no_such_key"; readonly key: string }
  | { readonly kind: "no_such_upload"; readonly uploadId: string }
  | { readonly kind: "no_such_job"; readonly jobId: string }
  | { readonly kind: "no_such_resource"; readonly resource: string }
  | { readonly kind: "invalid_object_state" }
  // Who is asking.
  | { readonly kind: "access_denied" }
  | { readonly kind: "unknown_access_key"; readonly accessKeyId: string }
  | { readonly kind: "signature_mismatch"; readonly accessKeyId: string }
  | { readonly kind: "clock_skew" }
  | { readonly kind: "expired_request" }
  | { readonly kind: "malformed_authorization"; readonly region?: string }
  | { readonly kind: "malformed_query_authentication" }
  | { readonly kind: "missing_authentication" }
  | { readonly kind: "missing_security_header"; readonly header: string }
  | { readonly kind: "invalid_token" }
  // Limits of a provider, an upstream or this process.
  | { readonly kind: "rate_limited"; readonly retryAfterMs?: number }
  | { readonly kind: "quota_exceeded" }
  | { readonly kind: "too_many_tags"; readonly resource: string }
  | { readonly kind: "storage_full" }
  | { readonly kind: "upstream_unavailable" }
  | { readonly kind: "upstream_timeout" }
  | { readonly kind: "upstream_failed"; readonly status?: number }
  | { readonly kind: "internal" };

export type FailureKind = Failure["kind"];

/**
 * The one error type that crosses a module boundary. `message` may reach the
 * caller, so it never holds a secret; `cause` is only ever logged.
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly failure: Failure;

  constructor(failure: Failure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

const OUTCOME_UNKNOWN: ReadonlySet<FailureKind> = new Set<FailureKind>([
  "upstream_unavailable",
  "upstream_timeout",
  "upstream_failed",
  "internal",
]);

/**
 * Whether the provider may have done what it was asked although the call
 * failed: a time-out, a cut answer or a 5xx says nothing about the effect.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  return !(error instanceof GatewayError) ||
    OUTCOME_UNKNOWN.has(error.failure.kind);
}
