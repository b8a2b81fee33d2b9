import { element, xmlDocument } from "./xml.ts";

/**
 * Error codes the simulated S3 answers with and their HTTP status; see "List
 * of error codes" in the S3 API Reference.
 */
const STATUS_BY_CODE = {
  AccessDenied: 403,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  XAmzContentSHA256Mismatch: 400,
} as const satisfies Record<string, number>;

export type S3ErrorCode = keyof typeof STATUS_BY_CODE;

/** An error answer of S3; `details` become further children of `<Error>`. */
export class S3Failure extends Error {
  override readonly name = "S3Failure";
  readonly code: S3ErrorCode;
  readonly details: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: S3ErrorCode,
    message: string,
    extra: {
      details?: Readonly<Record<string, string>>;
      headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(message);
    this.code = code;
    this.details = extra.details ?? {};
    this.headers = extra.headers ?? {};
  }
}

/**
 * The answer for a failure: S3's XML, and for HEAD the bare status, because a
 * HEAD answer has no body to hold the code.
 */
export function failureResponse(
  failure: S3Failure,
  request: { method: string; resource: string; requestId: string },
): Response {
  const status = STATUS_BY_CODE[failure.code];
  const headers = new Headers(failure.headers);
  if (request.method === "HEAD") return new Response(null, { status, headers });
  headers.set("content-type", "application/xml");
  const details = Object.entries(failure.details)
    .map(([name, value]) => element(name, value));
  const body = xmlDocument(
    "Error",
    [
      element("Code", failure.code),
      element("Message", failure.message),
      ...details,
      element("Resource", request.resource),
      element("RequestId", request.requestId),
      element("HostId", "sandbox"),
    ],
    { namespace: "none" },
  );
  return new Response(body, { status, headers });
}

export function noSuchKey(key: string): S3Failure {
  return new S3Failure("NoSuchKey", "The specified key does not exist.", {
    details: { Key: key },
  });
}

export function noSuchBucket(bucket: string): S3Failure {
  return new S3Failure("NoSuchBucket", "The specified bucket does not exist", {
    details: { BucketName: bucket },
  });
}

export function malformedXml(): S3Failure {
  return new S3Failure(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
  );
}

export function entityTooLarge(): S3Failure {
  return new S3Failure(
    "EntityTooLarge",
    "Your proposed upload exceeds the maximum allowed size",
  );
}
