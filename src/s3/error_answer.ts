import { GatewayError } from "../domain/failure.ts";
import type { RequestTarget } from "../http/target.ts";
import { type S3Answer, xmlAnswer } from "./answer.ts";
import { S3_PATH } from "./call.ts";
import { describeFailure, type S3Error, UNFORESEEN } from "./errors.ts";
import { branch, leaf, renderErrorDocument, type XmlElement } from "./xml.ts";

/** Any thrown value in S3's terms; only failures foreseen show themselves. */
export function describeError(error: unknown): S3Error {
  return error instanceof GatewayError ? describeFailure(error) : UNFORESEEN;
}

export interface ErrorAnswerInput {
  readonly error: S3Error;
  readonly target: RequestTarget;
  readonly headers: Headers;
  readonly requestId: string;
}

/** The XML document by which S3 answers an error. */
export function errorAnswer(
  { error, target, headers, requestId }: ErrorAnswerInput,
): S3Answer {
  const document = branch("Error", [
    leaf("Code", error.code),
    leaf("Message", error.message),
    ...error.details,
    requestedRange(error, headers),
    leaf("Resource", resourceOf(target)),
    leaf("RequestId", requestId),
    leaf("HostId", hostId(requestId)),
  ]);
  return xmlAnswer(error.status, renderErrorDocument(document), error.headers);
}

/** S3's second id of a request; here it says nothing that the first does not. */
export function hostId(requestId: string): string {
  return btoa(requestId);
}

function requestedRange(error: S3Error, headers: Headers): XmlElement | null {
  const range = headers.get("range");
  if (error.code !== "InvalidRange" || range === null) return null;
  return leaf("RangeRequested", range);
}

/** Bucket and key as S3 names them, without the gateway's own path. */
function resourceOf({ rawPath }: RequestTarget): string {
  const rest = rawPath.startsWith(S3_PATH)
    ? rawPath.slice(S3_PATH.length)
    : rawPath;
  return rest === "" ? "/" : rest;
}
