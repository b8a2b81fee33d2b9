import type { Failure, FailureKind, GatewayError } from "../domain/failure.ts";
import { quoteEtag } from "./etag.ts";
import { leaf, type XmlElement } from "./xml.ts";

/**
 * Failure to S3's status and code (S3 API Reference, "Error responses").
 * SDKs retry 500, 502, 503 and 504, so a failure that stays is none of these.
 */
const S3_ERRORS = {
  invalid_argument: [400, "InvalidArgument"],
  invalid_request: [400, "InvalidRequest"],
  invalid_uri: [400, "InvalidURI"],
  invalid_bucket_name: [400, "InvalidBucketName"],
  key_too_long: [400, "KeyTooLongError"],
  metadata_too_large: [400, "MetadataTooLarge"],
  malformed_xml: [400, "MalformedXML"],
  malformed_json: [400, "InvalidRequest"],
  unsupported: [501, "NotImplemented"],
  method_not_allowed: [405, "MethodNotAllowed"],
  missing_content_length: [411, "MissingContentLength"],
  entity_too_large: [400, "EntityTooLarge"],
  entity_too_small: [400, "EntityTooSmall"],
  invalid_part: [400, "InvalidPart"],
  invalid_part_order: [400, "InvalidPartOrder"],
  incomplete_body: [400, "IncompleteBody"],
  bad_digest: [400, "BadDigest"],
  invalid_digest: [400, "InvalidDigest"],
  payload_hash_mismatch: [400, "XAmzContentSHA256Mismatch"],
  request_timeout: [400, "RequestTimeout"],
  precondition_failed: [412, "PreconditionFailed"],
  not_modified: [304, "NotModified"],
  invalid_range: [416, "InvalidRange"],
  conflict: [409, "OperationAborted"],
  write_conflict: [409, "ConditionalRequestConflict"],
  no_such_bucket: [404, "NoSuchBucket"],
  no_such_key: [404, "NoSuchKey"],
  no_such_upload: [404, "NoSuchUpload"],
  no_such_job: [404, "NoSuchKey"],
  no_such_resource: [404, "NoSuchKey"],
  invalid_object_state: [403, "InvalidObjectState"],
  access_denied: [403, "AccessDenied"],
  unknown_access_key: [403, "InvalidAccessKeyId"],
  signature_mismatch: [403, "SignatureDoesNotMatch"],
  clock_skew: [403, "RequestTimeTooSkewed"],
  expired_request: [403, "AccessDenied"],
  malformed_authorization: [400, "AuthorizationHeaderMalformed"],
  malformed_query_authentication: [400, "AuthorizationQueryParametersError"],
  missing_authentication: [403, "AccessDenied"],
  missing_security_header: [400, "MissingSecurityHeader"],
  invalid_token: [400, "InvalidToken"],
  rate_limited: [503, "SlowDown"],
  quota_exceeded: [403, "QuotaExceeded"],
  too_many_tags: [400, "InvalidTag"],
  storage_full: [507, "InsufficientStorage"],
  upstream_unavailable: [503, "ServiceUnavailable"],
  upstream_timeout: [503, "ServiceUnavailable"],
  upstream_failed: [500, "InternalError"],
  internal: [500, "InternalError"],
} as const satisfies Record<FailureKind, readonly [number, string]>;

/** One failure in S3's terms. */
export interface S3Error {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** The elements beside Code and Message that S3 gives for this code. */
  readonly details: readonly XmlElement[];
  readonly headers: Readonly<Record<string, string>>;
}

export function describeFailure(error: GatewayError): S3Error {
  const [status, code] = S3_ERRORS[error.failure.kind];
  return {
    status,
    code,
    message: error.message,
    details: detailsOf(error.failure),
    headers: headersOf(error.failure),
  };
}

/** What a caller sees of an error that nobody foresaw: nothing of it. */
export const UNFORESEEN: S3Error = {
  status: 500,
  code: "InternalError",
  message: "We encountered an internal error. Please try again.",
  details: [],
  headers: {},
};

function detailsOf(failure: Failure): XmlElement[] {
  switch (failure.kind) {
    case "invalid_argument":
      return [
        leaf("ArgumentName", failure.argument),
        ...optional("ArgumentValue", failure.value),
      ];
    case "invalid_bucket_name":
    case "no_such_bucket":
      return [leaf("BucketName", failure.bucket)];
    case "no_such_key":
      return [leaf("Key", failure.key)];
    case "no_such_upload":
    case "invalid_part_order":
      return [leaf("UploadId", failure.uploadId)];
    case "invalid_part":
      return [
        leaf("UploadId", failure.uploadId),
        leaf("PartNumber", failure.partNumber),
        leaf("ETag", failure.etag),
      ];
    case "key_too_long":
    case "metadata_too_large":
      return [
        leaf("Size", failure.sizeBytes),
        leaf("MaxSizeAllowed", failure.bytesMax),
      ];
    case "entity_too_large":
      return [
        ...optional("ProposedSize", failure.sizeBytes),
        leaf("MaxSizeAllowed", failure.bytesMax),
      ];
    case "entity_too_small":
      return [
        leaf("ProposedSize", failure.sizeBytes),
        leaf("MinSizeAllowed", failure.bytesMin),
      ];
    case "precondition_failed":
      return [leaf("Condition", failure.condition)];
    case "invalid_range":
      return [leaf("ActualObjectSize", failure.sizeBytes)];
    case "unknown_access_key":
    case "signature_mismatch":
      return [leaf("AWSAccessKeyId", failure.accessKeyId)];
    case "malformed_authorization":
      return optional("Region", failure.region);
    case "missing_security_header":
      return [leaf("MissingHeaderName", failure.header)];
    default:
      return [];
  }
}

function optional(name: string, value?: string | number): XmlElement[] {
  return value === undefined ? [] : [leaf(name, value)];
}

function headersOf(failure: Failure): Record<string, string> {
  switch (failure.kind) {
    case "not_modified":
      return { etag: quoteEtag(failure.etag) };
    case "invalid_range":
      return { "content-range": `bytes */${failure.sizeBytes}` };
    case "rate_limited":
      return retryHeaders(failure.retryAfterMs ?? RETRY_AFTER_MS);
    default:
      return {};
  }
}

const RETRY_AFTER_MS = 1000;

/** botocore reads `x-amz-retry-after`, in milliseconds, and nothing else. */
function retryHeaders(retryAfterMs: number): Record<string, string> {
  return {
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
    "x-amz-retry-after": String(Math.ceil(retryAfterMs)),
  };
}
