import { Buffer } from "node:buffer";
import { AwsChunkedBody } from "./aws_chunked.ts";
import { type BodyPromise, readBodyPromise } from "./body_promise.ts";
import {
  type ChecksumAlgorithm,
  type RunningDigest,
  startDigest,
  toBase64,
  toHex,
} from "./checksum.ts";
import { entityTooLarge, S3Failure } from "./failure.ts";

/** A body that was received whole and matched all that was said of it. */
export interface ReceivedBody {
  readonly sizeBytes: number;
  readonly md5Hex: string;
  /** The checksum that the client sent, or the one asked for in its place. */
  readonly checksum: { algorithm: ChecksumAlgorithm; value: string } | null;
}

/**
 * Hands a request's body to `write` piece by piece and verifies its length,
 * `Content-MD5`, `x-amz-content-sha256` and `x-amz-checksum-*` (header or
 * trailer). The caller discards what was written when this throws.
 *
 * @param options.algorithm The checksum to compute where the client sent none.
 * @throws {S3Failure} `BadDigest`, `IncompleteBody`, `MissingContentLength`…
 */
export async function receiveBody(
  request: Request,
  write: (bytes: Uint8Array) => Promise<void>,
  options: { algorithm?: ChecksumAlgorithm | null } = {},
): Promise<ReceivedBody> {
  const promise = readBodyPromise(request.headers);
  const wire = wireBytes(request.body);
  const framed = promise.framing === "plain" ? null : new AwsChunkedBody(wire);
  const sha256 = promise.sha256Hex === null ? null : startDigest("sha256");
  let sizeBytes = 0;
  const body = await copyBody(framed?.bytes() ?? wire, async (bytes) => {
    sizeBytes += bytes.length;
    if (sizeBytes > promise.sizeBytes) throw incompleteBody(promise, sizeBytes);
    sha256?.update(bytes);
    await write(bytes);
  }, promise.algorithm ?? options.algorithm ?? null);
  if (sizeBytes !== promise.sizeBytes) throw incompleteBody(promise, sizeBytes);
  verifySha256(promise, sha256);
  verifyMd5(promise, body.md5Hex);
  verifyChecksum(promise, framed?.trailers ?? new Map(), body.checksum);
  return body;
}

/** Hands bytes on while computing what S3 keeps of them. */
export async function copyBody(
  source: AsyncIterable<Uint8Array>,
  write: (bytes: Uint8Array) => Promise<void>,
  algorithm: ChecksumAlgorithm | null,
): Promise<ReceivedBody> {
  const md5 = startDigest("md5");
  const checksum = algorithm === null ? null : startDigest(algorithm);
  let sizeBytes = 0;
  for await (const bytes of source) {
    sizeBytes += bytes.length;
    md5.update(bytes);
    checksum?.update(bytes);
    await write(bytes);
  }
  return {
    sizeBytes,
    md5Hex: toHex(md5.digest()),
    checksum: algorithm === null || checksum === null
      ? null
      : { algorithm, value: toBase64(checksum.digest()) },
  };
}

/** A request body read whole, for the small XML documents of S3. */
export async function receiveText(
  request: Request,
  bytesMax: number,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  await receiveBody(request, (bytes) => {
    sizeBytes += bytes.length;
    if (sizeBytes > bytesMax) throw entityTooLarge();
    text += decoder.decode(bytes, { stream: true });
    return Promise.resolve();
  });
  return text + decoder.decode();
}

/** Ends in `IncompleteBody` when the client goes away in the middle. */
async function* wireBytes(
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    while (true) {
      const { value, done } = await reader.read().catch(() => {
        throw new S3Failure(
          "IncompleteBody",
          "The request body terminated unexpectedly",
        );
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function verifySha256(
  promise: BodyPromise,
  digest: RunningDigest | null,
): void {
  if (digest === null) return;
  const computed = toHex(digest.digest());
  if (computed === promise.sha256Hex) return;
  throw new S3Failure(
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
    {
      details: {
        ClientComputedContentSHA256: promise.sha256Hex ?? "",
        S3ComputedContentSHA256: computed,
      },
    },
  );
}

function verifyMd5(promise: BodyPromise, md5Hex: string): void {
  const sent = promise.md5Base64;
  if (
    sent === null ||
    toHex(new Uint8Array(Buffer.from(sent, "base64"))) === md5Hex
  ) return;
  throw badDigest("Content-MD5");
}

function verifyChecksum(
  promise: BodyPromise,
  trailers: ReadonlyMap<string, string>,
  computed: ReceivedBody["checksum"],
): void {
  const sent = promise.trailer === null
    ? promise.checksum
    : trailers.get(promise.trailer) ?? null;
  if (promise.trailer !== null && sent === null) {
    throw new S3Failure(
      "IncompleteBody",
      `The trailer ${promise.trailer} was announced but not sent.`,
    );
  }
  if (sent !== null && sent !== computed?.value) {
    throw badDigest(promise.algorithm?.toUpperCase() ?? "checksum");
  }
}

function badDigest(name: string): S3Failure {
  return new S3Failure(
    "BadDigest",
    `The ${name} you specified did not match the calculated checksum.`,
  );
}

function incompleteBody(promise: BodyPromise, sizeBytes: number): S3Failure {
  return new S3Failure(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
    {
      details: {
        NumberBytesExpected: String(promise.sizeBytes),
        NumberBytesProvided: String(sizeBytes),
      },
    },
  );
}
