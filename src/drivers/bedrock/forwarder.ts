import type {
  DriverCall,
  ObjectRequest,
  ObjectResponse,
} from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import type { BucketRegions } from "./bucket_regions.ts";
import { parseErrorDocument } from "./error_document.ts";
import {
  gatewayRefused,
  isCredentialCode,
  statusFailure,
} from "../../aws/failures.ts";
import type { ByteStream } from "../../domain/bytes.ts";
import type { ObjectAnswer, ObjectSender } from "./object_sender.ts";
import { shownHeaders } from "./shown_headers.ts";

/** S3's error documents have a few hundred bytes. */
const ERROR_BYTES_MAX = 64 * 1024;

/** What an answer means: it is the caller's, or the bucket is elsewhere. */
type Verdict =
  | { readonly kind: "shown"; readonly response: ObjectResponse }
  | { readonly kind: "moved"; readonly region: string };

/**
 * Sends callers' requests on to S3, and hands back what a caller may see of
 * the answers: errors to the letter, but no redirect, nothing about the
 * gateway's own credentials, and nothing that is not S3's.
 */
export class ObjectForwarder {
  readonly #sender: ObjectSender;
  readonly #regions: BucketRegions;

  constructor(sender: ObjectSender, regions: BucketRegions) {
    this.#sender = sender;
    this.#regions = regions;
  }

  /** See `ObjectStorage.forward`. */
  async forward(
    call: DriverCall,
    request: ObjectRequest,
  ): Promise<ObjectResponse> {
    const region = this.#regions.find(request.bucket);
    const first = await this.#ask(call, request, region);
    if (first.kind === "shown") return first.response;
    if (request.bucket !== null) {
      this.#regions.learn(request.bucket, first.region);
    }
    // A body is read once only; the client's next try goes the right way.
    if (request.body !== null) throw moved(first.region);
    const second = await this.#ask(call, request, first.region);
    if (second.kind === "shown") return second.response;
    throw moved(second.region);
  }

  async #ask(
    call: DriverCall,
    request: ObjectRequest,
    region: string,
  ): Promise<Verdict> {
    const answer = await this.#sendReliably(call, request, region);
    return await judgeAnswer(request, answer, region);
  }

  /** A read is repeated once: a kept connection may just have been closed. */
  async #sendReliably(
    call: DriverCall,
    request: ObjectRequest,
    region: string,
  ): Promise<ObjectAnswer> {
    try {
      return await this.#sender.send(call, request, region);
    } catch (error) {
      const isRead = request.method === "GET" || request.method === "HEAD";
      const again = isRead && request.body === null && !call.signal.aborted &&
        error instanceof GatewayError &&
        error.failure.kind === "upstream_unavailable";
      if (!again) throw error;
      return await this.#sender.send(call, request, region);
    }
  }
}

async function judgeAnswer(
  request: ObjectRequest,
  answer: ObjectAnswer,
  region: string,
): Promise<Verdict> {
  const { status } = answer;
  const named = answer.headers["x-amz-bucket-region"];
  const elsewhere = named !== undefined && named !== region;
  if (status < 300 || status === 304) {
    return await showAnswer(request, answer);
  }
  if (status < 400) {
    await discard(answer);
    if (elsewhere) return { kind: "moved", region: named };
    throw redirected(status);
  }
  if (request.method === "HEAD") {
    if (status === 400 && elsewhere) {
      await discard(answer);
      return { kind: "moved", region: named };
    }
    return await showAnswer(request, answer);
  }
  return await judgeError(request, answer, region);
}

async function judgeError(
  request: ObjectRequest,
  answer: ObjectAnswer,
  region: string,
): Promise<Verdict> {
  const { status } = answer;
  const bytes = await readWhole(answer.body, ERROR_BYTES_MAX);
  const error = bytes === null ? null : parseErrorDocument(bytes);
  if (bytes === null || error === null) {
    throw new GatewayError(
      statusFailure(status, missing(request)),
      `S3 answered with HTTP status ${status}.`,
    );
  }
  if (
    error.code === "AuthorizationHeaderMalformed" && error.region !== null &&
    error.region !== region
  ) {
    return { kind: "moved", region: error.region };
  }
  if (isCredentialCode(error.code)) throw gatewayRefused("S3", error.code);
  const headers = {
    ...shownHeaders(answer.headers),
    "content-length": String(bytes.length),
  };
  const body = new Blob([bytes]).stream();
  return { kind: "shown", response: { status, headers, body } };
}

async function showAnswer(
  request: ObjectRequest,
  answer: ObjectAnswer,
): Promise<Verdict> {
  const { status } = answer;
  const headers = shownHeaders(answer.headers);
  if (request.method !== "HEAD" && status !== 204 && status !== 304) {
    return { kind: "shown", response: { ...answer, headers } };
  }
  await discard(answer);
  return { kind: "shown", response: { status, headers, body: null } };
}

/** The body's bytes; null where there are more than `bytesMax`. */
async function readWhole(
  body: ByteStream,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let seenBytes = 0;
  for await (const chunk of body) {
    seenBytes += chunk.length;
    if (seenBytes > bytesMax) return null;
    chunks.push(new Uint8Array(chunk));
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Reads what is short to its end, since that saves the connection. */
async function discard(answer: ObjectAnswer): Promise<void> {
  try {
    await readWhole(answer.body, ERROR_BYTES_MAX);
  } catch {
    // A cut connection discards it as well.
  }
}

function missing({ bucket, rawKey }: ObjectRequest): Failure {
  if (rawKey !== null) return { kind: "no_such_key", key: rawKey };
  if (bucket !== null) return { kind: "no_such_bucket", bucket };
  return { kind: "no_such_resource", resource: "buckets" };
}

function moved(region: string): GatewayError {
  return new GatewayError(
    { kind: "upstream_unavailable" },
    `The bucket is in ${region}, where the next request will be sent.`,
  );
}

function redirected(status: number): GatewayError {
  return new GatewayError(
    { kind: "upstream_failed", status },
    `S3 redirected the request (HTTP status ${status}) without naming the ` +
      "bucket's region.",
  );
}
