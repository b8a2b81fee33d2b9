import type { ObjectBody } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import {
  type BodyPlan,
  checkDigest,
  type ExpectedDigest,
  planBody,
} from "./body_plan.ts";
import type { ChunkSigner } from "./chunk_signer.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import { createDigest, type Digest, type DigestAlgorithm } from "./digest.ts";

/**
 * A body that proves itself: `stream` closes only if everything that the client
 * said about it is true. The last bytes are held back until then, so whoever
 * waits for `sizeBytes` bytes never takes a bad body for a complete one.
 */
export interface VerifiedBody extends ObjectBody {
  /** `aws-chunked` removed; null if nothing is left. */
  readonly contentEncoding: string | null;
  /**
   * `x-amz-checksum-*` given in headers, without the prefix, base64; verified
   * once `stream` has closed.
   */
  readonly checksums: Readonly<Record<string, string>>;
}

export interface VerifiedBodyInput {
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  /** From the authentication; null where no signature has to be checked. */
  readonly chunkSigner: ChunkSigner | null;
  /** Bound on the decoded length. */
  readonly bytesMax: number;
}

/**
 * Opens a request's body without its aws-chunked framing, and verifies its
 * length, `x-amz-content-sha256`, `Content-MD5`, `x-amz-checksum-*` in headers
 * or trailer, and chunk signatures. `stream` errors with GatewayError:
 * `incomplete_body`, `payload_hash_mismatch`, `bad_digest`, `invalid_digest`
 * (a malformed trailer) or `signature_mismatch`.
 *
 * @throws {GatewayError} `missing_content_length`, `entity_too_large`,
 * `invalid_argument`, `invalid_digest`, `invalid_request`, `unsupported`: what
 * can be known from the headers alone.
 */
export function openVerifiedBody(input: VerifiedBodyInput): VerifiedBody {
  const plan = planBody(input.headers, input.bytesMax);
  const source = new VerifiedSource(plan, input);
  const body = {
    stream: new ReadableStream(source, { highWaterMark: 0 }),
    sizeBytes: plan.sizeBytes,
    contentEncoding: plan.contentEncoding,
    checksums: plan.checksums,
  };
  if (plan.trailer === null) return body;
  const { name } = plan.trailer;
  return { ...body, trailer: { name, value: () => source.trailerValue() } };
}

class VerifiedSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #plan: BodyPlan;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #decoder: ChunkedDecoder | null;
  readonly #digests = new Map<DigestAlgorithm, Digest>();
  /** The last piece of payload, until there is another or all is verified. */
  #held: Uint8Array | null = null;
  #receivedBytes = 0;
  #trailerValue: string | null = null;
  #isCancelled = false;

  constructor(plan: BodyPlan, input: VerifiedBodyInput) {
    const { framing, sizeBytes, digests, trailer } = plan;
    this.#plan = plan;
    this.#reader = input.body?.getReader() ?? null;
    this.#decoder = framing.kind === "plain" ? null : new ChunkedDecoder({
      sizeBytes,
      signatures: framing.signatures,
      chunkSigner: input.chunkSigner,
    });
    for (const { algorithm } of [...digests, ...trailer ? [trailer] : []]) {
      this.#digests.set(algorithm, createDigest(algorithm));
    }
  }

  async pull(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    try {
      let isFed = false;
      while (!isFed) {
        const bytes = await this.#read();
        if (this.#isCancelled) return;
        if (bytes === null) {
          this.#finish();
          if (this.#held !== null) controller.enqueue(this.#held);
          controller.close();
          return;
        }
        isFed = this.#pass(bytes, controller);
      }
    } catch (error) {
      this.#held = null;
      // The client's connection may be gone as well; the first error counts.
      this.#reader?.cancel(error).catch(() => {});
      throw error;
    }
  }

  async cancel(reason: unknown): Promise<void> {
    this.#isCancelled = true;
    this.#held = null;
    await this.#reader?.cancel(reason);
  }

  trailerValue(): string {
    if (this.#trailerValue !== null) return this.#trailerValue;
    throw new GatewayError(
      { kind: "internal" },
      "The trailer was asked for before the body had been read.",
    );
  }

  /** The next bytes of the request; null at its end. */
  async #read(): Promise<Uint8Array | null> {
    if (this.#reader === null) return null;
    try {
      const { done, value } = await this.#reader.read();
      return done ? null : value;
    } catch (cause) {
      if (cause instanceof GatewayError) throw cause;
      throw incompleteBody("The request ended before its body did.", cause);
    }
  }

  /** Takes payload in; says whether some earlier payload could go out. */
  #pass(
    bytes: Uint8Array,
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): boolean {
    const pieces = this.#decoder?.decode(bytes) ?? [bytes];
    let isFed = false;
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      this.#receivedBytes += piece.length;
      if (this.#receivedBytes > this.#plan.sizeBytes) {
        throw incompleteBody("The body is longer than its headers say.");
      }
      for (const digest of this.#digests.values()) digest.update(piece);
      if (this.#held !== null) {
        controller.enqueue(this.#held);
        isFed = true;
      }
      this.#held = piece;
    }
    return isFed;
  }

  #finish(): void {
    const trailers = this.#decoder?.finish() ?? new Map<string, string>();
    if (this.#receivedBytes < this.#plan.sizeBytes) {
      throw incompleteBody(
        "You did not provide the number of bytes specified by the " +
          "Content-Length HTTP header.",
      );
    }
    for (const expected of this.#plan.digests) {
      const base64 = this.#digests.get(expected.algorithm)?.base64();
      if (base64 !== expected.base64) throw mismatch(expected);
    }
    this.#verifyTrailer(trailers);
  }

  #verifyTrailer(trailers: ReadonlyMap<string, string>): void {
    const { trailer } = this.#plan;
    const names = [...trailers.keys()].join();
    if (names !== (trailer?.name ?? "")) {
      throw incompleteBody(
        "The body's trailing headers are not those that x-amz-trailer " +
          "announced.",
      );
    }
    if (trailer === null) return;
    const { name, algorithm } = trailer;
    const base64 = trailers.get(name) ?? "";
    checkDigest(name, base64, algorithm);
    if (base64 !== this.#digests.get(algorithm)?.base64()) {
      throw mismatch({ algorithm, base64, source: "checksum" });
    }
    this.#trailerValue = base64;
  }
}

function incompleteBody(message: string, cause?: unknown): GatewayError {
  return new GatewayError({ kind: "incomplete_body" }, message, { cause });
}

function mismatch(expected: ExpectedDigest): GatewayError {
  switch (expected.source) {
    case "content_sha256":
      return new GatewayError(
        { kind: "payload_hash_mismatch" },
        "The provided 'x-amz-content-sha256' header does not match what was " +
          "computed.",
      );
    case "content_md5":
      return new GatewayError(
        { kind: "bad_digest", algorithm: "Content-MD5" },
        "The Content-MD5 you specified did not match what we received.",
      );
    case "checksum": {
      const algorithm = expected.algorithm.toUpperCase();
      return new GatewayError(
        { kind: "bad_digest", algorithm },
        `The ${algorithm} you specified did not match the calculated checksum.`,
      );
    }
  }
}
