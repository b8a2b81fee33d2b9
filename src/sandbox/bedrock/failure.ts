/**
 * Errors of Bedrock's control plane and their HTTP status (botocore model);
 * the ones that are not in it come from the AWS front end itself.
 */
const STATUS_BY_CODE = {
  ConflictException: 400,
  InternalServerException: 500,
  MissingAuthenticationTokenException: 403,
  ResourceNotFoundException: 404,
  SerializationException: 400,
  TooManyTagsException: 400,
  UnknownOperationException: 404,
  UnrecognizedClientException: 403,
  ValidationException: 400,
} as const satisfies Record<string, number>;

export type BedrockErrorCode = keyof typeof STATUS_BY_CODE;

export class BedrockFailure extends Error {
  override readonly name = "BedrockFailure";
  readonly code: BedrockErrorCode;

  constructor(code: BedrockErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** SDKs read the code from the header and the text from the body. */
export function failureResponse(failure: BedrockFailure): Response {
  return Response.json({ message: failure.message }, {
    status: STATUS_BY_CODE[failure.code],
    headers: { "x-amzn-errortype": failure.code },
  });
}

export function noSuchResource(identifier: string): BedrockFailure {
  return new BedrockFailure(
    "ResourceNotFoundException",
    `Could not find the resource ${identifier}.`,
  );
}
