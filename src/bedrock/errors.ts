import { type FailureKind, GatewayError } from "../domain/failure.ts";

type WireError = readonly [status: number, type: string];

const VALIDATION: WireError = [400, "ValidationException"];
const DENIED: WireError = [403, "AccessDeniedException"];
const MISSING: WireError = [404, "ResourceNotFoundException"];
const CONFLICT: WireError = [400, "ConflictException"];
const INTERNAL: WireError = [500, "InternalServerException"];
const UNAVAILABLE: WireError = [503, "ServiceUnavailableException"];

/**
 * Each kind of failure as the control plane says it: statuses and names of
 * the botocore model, and of AWS's signature checks where it models none.
 */
const WIRE_ERRORS: Record<FailureKind, WireError> = {
  invalid_argument: VALIDATION,
  invalid_request: VALIDATION,
  invalid_uri: VALIDATION,
  invalid_bucket_name: VALIDATION,
  key_too_long: VALIDATION,
  metadata_too_large: VALIDATION,
  malformed_xml: VALIDATION,
  malformed_json: [400, "SerializationException"],
  unsupported: VALIDATION,
  method_not_allowed: [405, "UnknownOperationException"],
  missing_content_length: VALIDATION,
  entity_too_large: VALIDATION,
  entity_too_small: VALIDATION,
  invalid_part: VALIDATION,
  invalid_part_order: VALIDATION,
  incomplete_body: VALIDATION,
  bad_digest: VALIDATION,
  invalid_digest: VALIDATION,
  payload_hash_mismatch: [403, "InvalidSignatureException"],
  request_timeout: [408, "RequestTimeoutException"],
  precondition_failed: CONFLICT,
  not_modified: CONFLICT,
  invalid_range: VALIDATION,
  conflict: CONFLICT,
  write_conflict: UNAVAILABLE,
  no_such_bucket: VALIDATION,
  no_such_key: MISSING,
  no_such_upload: MISSING,
  no_such_job: MISSING,
  no_such_resource: MISSING,
  invalid_object_state: VALIDATION,
  access_denied: DENIED,
  unknown_access_key: [403, "UnrecognizedClientException"],
  signature_mismatch: [403, "InvalidSignatureException"],
  clock_skew: [403, "InvalidSignatureException"],
  expired_request: [403, "InvalidSignatureException"],
  malformed_authorization: [403, "IncompleteSignatureException"],
  malformed_query_authentication: [403, "IncompleteSignatureException"],
  missing_authentication: [403, "MissingAuthenticationTokenException"],
  missing_security_header: [403, "IncompleteSignatureException"],
  invalid_token: [403, "UnrecognizedClientException"],
  rate_limited: [429, "ThrottlingException"],
  quota_exceeded: [400, "ServiceQuotaExceededException"],
  too_many_tags: [400, "TooManyTagsException"],
  storage_full: UNAVAILABLE,
  upstream_unavailable: UNAVAILABLE,
  upstream_timeout: UNAVAILABLE,
  upstream_failed: INTERNAL,
  internal: INTERNAL,
};

/** The one place where the control plane's failures become responses. */
export function renderError(error: unknown): Response {
  if (!(error instanceof GatewayError)) {
    return errorResponse(INTERNAL, "The gateway failed in an unforeseen way.");
  }
  const { failure, message } = error;
  const response = errorResponse(WIRE_ERRORS[failure.kind], message, {
    ...(failure.kind === "too_many_tags" && { resourceName: failure.resource }),
  });
  if (failure.kind === "rate_limited" && failure.retryAfterMs !== undefined) {
    const { retryAfterMs } = failure;
    // AWS's SDKs read the first, in milliseconds; people and proxies the other.
    response.headers.set("x-amz-retry-after", String(Math.ceil(retryAfterMs)));
    response.headers.set("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  }
  return response;
}

/** For a path or method that is no operation of the control plane. */
export function unknownOperation(): Response {
  return errorResponse(
    [404, "UnknownOperationException"],
    "This path is no operation that the gateway serves.",
  );
}

function errorResponse(
  [status, type]: WireError,
  message: string,
  members: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify({ message, ...members }), {
    status,
    headers: { "content-type": "application/json", "x-amzn-errortype": type },
  });
}
