import type { ObjectBody } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";

/**
 * A request body as it goes over the wire to S3. Its length is known before
 * its first byte, because S3 accepts no upload without one.
 */
export interface EncodedBody {
  readonly sizeBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Errors where the body does, or has not the size that it announced. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Lets go of the body at once, even while a chunk is waited for. */
  cancel(): void;
}

/** As boto3 does; S3 asks for at least 8 KiB in every chunk but the last. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Length of a checksum in base64, by its header; see "Checking object
 * integrity" in the S3 User Guide.
 */
const CHECKSUM_LENGTHS: ReadonlyMap<string, number> = new Map([
  ["x-amz-checksum-crc32", 8],
  ["x-amz-checksum-crc32c", 8],
  ["x-amz-checksum-crc64nvme", 12],
  ["x-amz-checksum-sha1", 28],
  ["x-amz-checksum-sha256", 44],
  ["x-amz-checksum-sha512", 88],
  ["x-amz-checksum-md5", 24],
  ["x-amz-checksum-xxhash64", 12],
  ["x-amz-checksum-xxhash3", 12],
  ["x-amz-checksum-xxhash128", 24],
]);

/**
 * Encodes a body so that S3 cannot take it for complete before it has closed
 * without an error: only then is it known to be what the client meant.
 *
 * @throws {GatewayError} `invalid_argument` for a trailer without a known size.
 */
export function encodeBody(
  body: ObjectBody,
  contentEncoding: string | undefined,
): EncodedBody {
  return body.trailer === undefined
    ? encodePlain(body)
    : encodeChunked(body, body.trailer, contentEncoding);
}

function encodePlain(body: ObjectBody): EncodedBody {
  const reader = body.stream.getReader();
  return {
    sizeBytes: body.sizeBytes,
    headers: { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
    chunks: withheldUntilClosed(sizeChecked(reader, body.sizeBytes)),
    cancel: () => letGo(reader),
  };
}

/** The last chunk completes the object, so it waits until the body closed. */
async function* withheldUntilClosed(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let withheld: Uint8Array | null = null;
  for await (const chunk of chunks) {
    if (withheld !== null) yield withheld;
    withheld = chunk;
  }
  if (withheld !== null) yield withheld;
}

/**
 * S3's `aws-chunked` with a trailer; "Signature calculations for trailing
 * headers" in the S3 API Reference. Chunk sizes are fixed, so the whole
 * length follows from the body's.
 */
function encodeChunked(
  body: ObjectBody,
  trailer: NonNullable<ObjectBody["trailer"]>,
  contentEncoding: string | undefined,
): EncodedBody {
  const valueLength = CHECKSUM_LENGTHS.get(trailer.name);
  if (valueLength === undefined) {
    throw new GatewayError(
      {
        kind: "invalid_argument",
        argument: "x-amz-trailer",
        value: trailer.name,
      },
      `The trailer ${trailer.name} is none of S3's checksums.`,
    );
  }
  const reader = body.stream.getReader();
  return {
    sizeBytes: framedSize(body.sizeBytes) + "0\r\n".length +
      `${trailer.name}:`.length + valueLength + "\r\n\r\n".length,
    headers: {
      "content-encoding": contentEncoding === undefined
        ? "aws-chunked"
        : `${contentEncoding},aws-chunked`,
      "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      "x-amz-decoded-content-length": String(body.sizeBytes),
      "x-amz-trailer": trailer.name,
    },
    chunks: framed(
      sizeChecked(reader, body.sizeBytes),
      body.sizeBytes,
      trailer,
      valueLength,
    ),
    cancel: () => letGo(reader),
  };
}

function framedSize(sizeBytes: number): number {
  const wholeChunks = Math.floor(sizeBytes / CHUNK_BYTES);
  const restBytes = sizeBytes % CHUNK_BYTES;
  return wholeChunks * frameSize(CHUNK_BYTES) +
    (restBytes === 0 ? 0 : frameSize(restBytes));
}

function frameSize(sizeBytes: number): number {
  return sizeBytes.toString(16).length + 2 + sizeBytes + 2;
}

async function* framed(
  chunks: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  trailer: NonNullable<ObjectBody["trailer"]>,
  valueLength: number,
): AsyncGenerator<Uint8Array, void, void> {
  const encoder = new TextEncoder();
  let leftBytes = sizeBytes;
  let leftInFrame = 0;
  for await (const chunk of chunks) {
    let offset = 0;
    while (offset < chunk.length) {
      if (leftInFrame === 0) {
        leftInFrame = Math.min(CHUNK_BYTES, leftBytes);
        yield encoder.encode(`${leftInFrame.toString(16)}\r\n`);
      }
      const piece = chunk.subarray(offset, offset + leftInFrame);
      yield piece;
      offset += piece.length;
      leftBytes -= piece.length;
      leftInFrame -= piece.length;
      if (leftInFrame === 0) yield encoder.encode("\r\n");
    }
  }
  const value = trailer.value();
  if (value.length !== valueLength) {
    throw new GatewayError(
      { kind: "invalid_digest", algorithm: trailer.name },
      `The value of ${trailer.name} is not a checksum of that kind.`,
    );
  }
  yield encoder.encode(`0\r\n${trailer.name}:${value}\r\n\r\n`);
}

/** The body's non-empty chunks, which add up to what it announced. */
async function* sizeChecked(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let seenBytes = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(rethrowAsGatewayError);
    if (done) break;
    seenBytes += value.length;
    if (seenBytes > sizeBytes) break;
    if (value.length > 0) yield value;
  }
  if (seenBytes === sizeBytes) return;
  throw new GatewayError(
    { kind: "incomplete_body" },
    `The body does not have the ${sizeBytes} bytes that were announced.`,
  );
}

/** Whatever a client's body fails with, S3 is not to blame. */
function rethrowAsGatewayError(error: unknown): never {
  if (error instanceof GatewayError) throw error;
  throw new GatewayError(
    { kind: "incomplete_body" },
    "The request's body ended with an error.",
    { cause: error },
  );
}

function letGo(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  // A body that has failed cannot be cancelled any more, and need not be.
  reader.cancel().catch(() => {});
}
