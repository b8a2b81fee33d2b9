import type { ByteStream } from "../domain/bytes.ts";
import type { Principal } from "../domain/context.ts";
import type { ObjectResponse } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import { mayReach } from "./access.ts";
import { type AnswerBody, documentAnswer, type S3Answer } from "./answer.ts";
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

/**
 * What S3 answered, for the caller: status, headers and body as they came.
 *
 * @throws {GatewayError} `invalid_request` in place of a redirect.
 */
export function answerOf(response: ObjectResponse, method: S3Method): S3Answer {
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
  const upstreamRequestId = response.headers["x-amz-request-id"];
  return {
    status,
    headers,
    body: bodyOf(response, method),
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
  const root = parseDocument(await collect(response.body));
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

async function collect(stream: ByteStream | null): Promise<Uint8Array> {
  let bytes = new Uint8Array(0);
  for await (const chunk of stream ?? []) {
    const sizeBytes = bytes.length + chunk.length;
    if (sizeBytes > XML_BYTES_MAX) {
      throw new GatewayError(
        { kind: "upstream_failed" },
        "S3's list of buckets is too long to be filtered.",
      );
    }
    const joined = new Uint8Array(sizeBytes);
    joined.set(bytes);
    joined.set(chunk, bytes.length);
    bytes = joined;
  }
  return bytes;
}
