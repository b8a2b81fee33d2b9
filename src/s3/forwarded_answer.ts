import { Buffer } from "node:buffer";
import type { ByteStream } from "../domain/bytes.ts";
import type { Principal } from "../domain/context.ts";
import type { ObjectResponse } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import { mayReach } from "./access.ts";
import { type AnswerBody, documentAnswer, type S3Answer } from "./answer.ts";
import { hostId } from "./error_answer.ts";
import type { S3Method } from "./operation.ts";
import { childText, parseDocument, XML_BYTES_MAX } from "./xml.ts";

/** Headers about one connection, or that the gateway gives itself. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "server",
  "transfer-encoding",
  "x-amz-id-2",
  "x-amz-request-id",
]);

/** S3's own error documents have a few hundred bytes. */
const ERROR_BYTES_MAX = 256 * 1024;

/** What the answer to one forwarded call depends on beside S3's own. */
export interface AnswerFacts {
  readonly method: S3Method;
  /** The gateway's id of the call, which the caller sees. */
  readonly requestId: string;
}

/**
 * What S3 answered, for the caller: status, headers and body as they came.
 *
 * @throws {GatewayError} `invalid_request` in place of a redirect.
 */
export async function answerOf(
  response: ObjectResponse,
  { method, requestId }: AnswerFacts,
): Promise<S3Answer> {
  const { status, body } = response;
  if (status >= 300 && status < 400 && status !== 304) {
    discard(body);
    throw redirected(response);
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers)
      .filter(([name]) => !NOT_PASSED_ON.has(name)),
  );
  const length = response.headers["content-length"];
  if (method === "HEAD" && length !== undefined) {
    headers["content-length"] = length;
  }
  const answer = { status, headers, body: bodyOf(response, method) };
  return await withOwnIds(answer, requestId);
}

/**
 * S3's error document with the ids of the caller's call, which are in the
 * headers and in the log as well, in place of those that S3 gave the gateway's.
 * Every other answer stays as it is.
 */
async function withOwnIds(
  answer: S3Answer,
  requestId: string,
): Promise<S3Answer> {
  const { status, body } = answer;
  if (status < 400 || body.kind !== "stream") return answer;
  const bytes = await collect(body.stream, ERROR_BYTES_MAX);
  const given = new TextDecoder().decode(bytes);
  const upstreamRequestId = /<RequestId>([^<]*)</.exec(given)?.[1];
  const text = given
    .replace(/<RequestId>[^<]*</, () => `<RequestId>${requestId}<`)
    .replace(/<HostId>[^<]*</, () => `<HostId>${hostId(requestId)}<`);
  return {
    ...answer,
    body: { kind: "bytes", bytes: new TextEncoder().encode(text) },
    ...(upstreamRequestId === undefined ? {} : { upstreamRequestId }),
  };
}

function bodyOf(response: ObjectResponse, method: S3Method): AnswerBody {
  const { body, headers, status } = response;
  const bodiless = method === "HEAD" || status === 204 || status === 304;
  if (body === null || bodiless) {
    discard(body);
    return { kind: "none" };
  }
  const length = headers["content-length"];
  const sizeBytes = length === undefined ? null : Number(length);
  return { kind: "stream", stream: body, sizeBytes };
}

function discard(body: ByteStream | null): void {
  // Nobody waits for it, and a connection that breaks now hurts nobody.
  body?.cancel().catch(() => {});
}

/** boto3 follows a redirect, or its code, into a loop. */
function redirected(response: ObjectResponse): GatewayError {
  const region = response.headers["x-amz-bucket-region"];
  const where = region === undefined ? "another region" : `region ${region}`;
  return new GatewayError(
    { kind: "invalid_request" },
    `The bucket is in ${where} and cannot be reached through the region that ` +
      "this gateway is configured for (AWS_REGION).",
  );
}

/** S3 lists every bucket of the account; the caller sees those in reach. */
export async function reachableBuckets(
  response: ObjectResponse,
  principal: Principal,
): Promise<S3Answer> {
  const bytes = response.body === null
    ? new Uint8Array()
    : await collect(response.body, XML_BYTES_MAX);
  const root = parseDocument(bytes);
  const children = root.children.map((child) =>
    child.name !== "Buckets" ? child : {
      ...child,
      children: child.children.filter((bucket) =>
        mayReach(principal, childText(bucket, "Name") ?? "", { kind: "bucket" })
      ),
    }
  );
  return documentAnswer({ ...root, children });
}

/** @throws {GatewayError} `upstream_failed` past the bound. */
async function collect(
  stream: ByteStream,
  bytesMax: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) {
      throw new GatewayError(
        { kind: "upstream_failed" },
        `S3's answer is longer than the ${bytesMax} bytes that are read of it.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
