import { type AnswerBody, bodySizeBytes, type S3Answer } from "./answer.ts";
import { hostId } from "./error_answer.ts";
import { guardResponseBody } from "./response_body.ts";

/** What every response of one request has in common. */
export interface ResponseFacts {
  readonly method: string;
  readonly requestId: string;
  readonly stallMs: number;
  /** Told why a body failed after its status had gone out. */
  report(error: unknown): void;
}

/** Turns an answer into HTTP; one that cannot be has its body let go of. */
export function toResponse(answer: S3Answer, facts: ResponseFacts): Response {
  try {
    return respond(answer, facts);
  } catch (error) {
    discard(answer.body);
    throw error;
  }
}

function respond(answer: S3Answer, facts: ResponseFacts): Response {
  const headers = new Headers(answer.headers);
  headers.set("x-amz-request-id", facts.requestId);
  headers.set("x-amz-id-2", hostId(facts.requestId));
  const { status } = answer;
  if (facts.method === "HEAD" || status === 204 || status === 304) {
    discard(answer.body);
    return new Response(null, { status, headers });
  }
  const sizeBytes = bodySizeBytes(answer.body);
  if (sizeBytes !== null) headers.set("content-length", String(sizeBytes));
  return new Response(open(answer.body, facts), { status, headers });
}

function open(
  body: AnswerBody,
  { stallMs, report }: ResponseFacts,
): BodyInit | null {
  switch (body.kind) {
    case "none":
      return null;
    case "bytes":
      return body.bytes;
    case "stream":
      return guardResponseBody(body.stream, {
        sizeBytes: body.sizeBytes,
        stallMs,
        report,
      });
  }
}

function discard(body: AnswerBody): void {
  // Whoever gives it ends its own part; there is nobody left to tell.
  if (body.kind === "stream") body.stream.cancel().catch(() => {});
}
