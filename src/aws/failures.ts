import { z } from "zod";
import { type Failure, GatewayError } from "../domain/failure.ts";

/** What a call was about, for failures that name it. */
export interface Subject {
  /** As people write it. */
  readonly service: "Amazon Bedrock" | "S3";
  /** What "not found" says about this call. */
  readonly missing: Failure;
  /** Null where no bucket is concerned. */
  readonly bucket: string | null;
}

/** The kinds that need nothing but their name. */
type PlainKind = Extract<
  Failure["kind"],
  | "access_denied"
  | "conflict"
  | "invalid_object_state"
  | "invalid_request"
  | "method_not_allowed"
  | "quota_exceeded"
  | "rate_limited"
  | "unsupported"
  | "upstream_failed"
  | "upstream_timeout"
  | "upstream_unavailable"
>;

/** Error names of the botocore models of bedrock and s3. */
const KIND_BY_NAME: ReadonlyMap<string, PlainKind> = new Map([
  ["AccessDenied", "access_denied"],
  ["AccessDeniedException", "access_denied"],
  ["ConflictException", "conflict"],
  ["InternalServerException", "upstream_failed"],
  ["InvalidObjectState", "invalid_object_state"],
  ["ResourceInUseException", "conflict"],
  ["ServiceQuotaExceededException", "quota_exceeded"],
  ["ServiceUnavailableException", "upstream_unavailable"],
  ["SlowDown", "rate_limited"],
  ["ThrottlingException", "rate_limited"],
  ["TooManyRequestsException", "rate_limited"],
  ["ValidationException", "invalid_request"],
]);

/**
 * Codes by which AWS complains about the caller's credentials or signature:
 * here always the gateway's own, of which nothing may be shown. See "Common
 * errors" in the Bedrock API Reference and "Error responses" in the S3 one.
 */
const CREDENTIAL_CODES: ReadonlySet<string> = new Set([
  "AuthorizationHeaderMalformed",
  "AuthorizationQueryParametersError",
  "CredentialsNotSupported",
  "ExpiredToken",
  "ExpiredTokenException",
  "IncompleteSignature",
  "IncompleteSignatureException",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidSecurity",
  "InvalidSignatureException",
  "InvalidToken",
  "MissingAuthenticationToken",
  "MissingAuthenticationTokenException",
  "NotSignedUp",
  "OptInRequired",
  "RequestExpired",
  "RequestTimeTooSkewed",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
  "UnrecognizedClientException",
]);

const MESSAGE_LENGTH_MAX = 2_048;

const errorSchema = z.object({
  name: z.string().catch(""),
  message: z.string().catch(""),
  code: z.string().optional().catch(undefined),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional()
    .catch(undefined),
  $response: z.object({
    statusCode: z.number().optional().catch(undefined),
    headers: z.record(z.string(), z.string()).catch({}),
  }).optional().catch(undefined),
});
type SdkError = z.infer<typeof errorSchema>;

/** Whether an error code speaks of the gateway's own credentials. */
export function isCredentialCode(code: string): boolean {
  return CREDENTIAL_CODES.has(code);
}

/** What a caller learns about credentials that are not the caller's. */
export function gatewayRefused(
  service: Subject["service"],
  code: string,
): GatewayError {
  return new GatewayError(
    { kind: "access_denied" },
    `${service} refused the gateway's own AWS credentials (${code}); the ` +
      "gateway's operator has to mend them.",
  );
}

/**
 * The GatewayError for whatever a command of an AWS client threw.
 *
 * @param signal Where it is aborted, whatever was thrown comes from that.
 */
export function toGatewayError(
  error: unknown,
  subject: Subject,
  signal?: AbortSignal,
): GatewayError {
  if (error instanceof GatewayError) return error;
  if (signal?.aborted === true) return late(subject.service, error);
  const parsed = errorSchema.safeParse(error).data;
  const status = parsed?.$metadata?.httpStatusCode ??
    parsed?.$response?.statusCode;
  if (parsed === undefined || status === undefined) {
    return withoutAnswer(parsed, subject.service, error);
  }
  if (isCredentialCode(parsed.name)) {
    return gatewayRefused(subject.service, parsed.name);
  }
  return new GatewayError(
    answeredFailure(parsed, status, subject),
    readableMessage(parsed, status, subject),
    { cause: error },
  );
}

/** The GatewayError for a forwarded request that got no answer from S3. */
export function exchangeFailure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return withoutAnswer(errorSchema.safeParse(error).data, "S3", error);
}

function withoutAnswer(
  error: SdkError | undefined,
  service: Subject["service"],
  cause: unknown,
): GatewayError {
  const name = error?.name ?? "";
  if (/Credential|TokenProvider/.test(`${name} ${error?.message}`)) {
    return new GatewayError(
      { kind: "access_denied" },
      "The gateway has no AWS credentials: its operator has to set " +
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role.",
      { cause },
    );
  }
  if (name === "AbortError" || name === "TimeoutError") {
    return late(service, cause);
  }
  return new GatewayError(
    { kind: "upstream_unavailable" },
    `The connection to ${service} failed.`,
    { cause },
  );
}

function late(service: Subject["service"], cause: unknown): GatewayError {
  return new GatewayError(
    { kind: "upstream_timeout" },
    `${service} did not answer in time.`,
    { cause },
  );
}

function answeredFailure(
  error: SdkError,
  status: number,
  subject: Subject,
): Failure {
  if (error.name === "NoSuchBucket" && subject.bucket !== null) {
    return { kind: "no_such_bucket", bucket: subject.bucket };
  }
  const kind = KIND_BY_NAME.get(error.name);
  const failure: Failure = kind === undefined
    ? statusFailure(status, subject.missing)
    : { kind };
  if (failure.kind === "upstream_failed") return { ...failure, status };
  if (failure.kind !== "rate_limited") return failure;
  const retryAfterMs = readRetryAfterMs(error.$response?.headers ?? {});
  return retryAfterMs === null ? failure : { ...failure, retryAfterMs };
}

/** The wait that an answer names in whole seconds (RFC 9110, 10.2.3). */
function readRetryAfterMs(headers: Record<string, string>): number | null {
  const text = headers["retry-after"] ?? "";
  return /^\d{1,5}$/.test(text) ? Number(text) * 1000 : null;
}

/**
 * The failure for an answer of which only the status is of use.
 *
 * @param missing What a 404 says.
 */
export function statusFailure(status: number, missing: Failure): Failure {
  if (status === 404) return missing;
  if (status === 412) {
    return { kind: "precondition_failed", condition: "If-Match" };
  }
  const kind = PLAIN_KIND_BY_STATUS.get(status);
  if (kind !== undefined) return { kind };
  return status >= 400 && status < 500
    ? { kind: "invalid_request" }
    : { kind: "upstream_failed", status };
}

const PLAIN_KIND_BY_STATUS: ReadonlyMap<number, PlainKind> = new Map([
  [401, "access_denied"],
  [403, "access_denied"],
  [405, "method_not_allowed"],
  [408, "upstream_timeout"],
  [409, "conflict"],
  [429, "rate_limited"],
  [501, "unsupported"],
  [502, "upstream_unavailable"],
  [503, "upstream_unavailable"],
  [504, "upstream_timeout"],
]);

/** AWS's own words, which name no secret but may be long. */
function readableMessage(
  error: SdkError,
  status: number,
  subject: Subject,
): string {
  if (status < 300) return `${subject.service}'s answer could not be read.`;
  const text = error.message
    // deno-lint-ignore no-control-regex -- exactly these must not pass
    .replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
  // The SDK's own stand-in for an answer without a message.
  return text === "" || /^Unknown(Error)?$/.test(text)
    ? `${subject.service} answered with HTTP status ${status}.`
    : text.slice(0, MESSAGE_LENGTH_MAX);
}
