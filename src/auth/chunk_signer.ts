import type { Buffer } from "node:buffer";
import { GatewayError } from "../domain/failure.ts";
import { equalConstantTime } from "./constant_time.ts";
import {
  type CredentialScope,
  formatScope,
  hmacSha256,
} from "./signing_keys.ts";

/**
 * Verifies the signatures inside one aws-chunked body. Each signs the one
 * before it, so they must come in order; see "Transferring Payload in Multiple
 * Chunks" in the S3 API Reference.
 */
export interface ChunkSigner {
  /** @throws {GatewayError} `signature_mismatch` */
  verifyChunk(chunkSha256Hex: string, signature: string): void;
  /**
   * @param trailerSha256Hex Hash of the lines `name:value\n`.
   * @throws {GatewayError} `signature_mismatch`
   */
  verifyTrailer(trailerSha256Hex: string, signature: string): void;
}

export interface ChunkSignerOptions {
  readonly accessKeyId: string;
  readonly signingKey: Buffer;
  readonly scope: CredentialScope;
  /** `YYYYMMDDTHHMMSSZ` of the request. */
  readonly timestamp: string;
  /** The request's own, which the first chunk builds on. */
  readonly seedSignature: string;
}

const EMPTY_SHA256_HEX =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export function createChunkSigner(options: ChunkSignerOptions): ChunkSigner {
  return new SignatureChain(options);
}

class SignatureChain implements ChunkSigner {
  readonly #options: ChunkSignerOptions;
  #previousSignature: string;

  constructor(options: ChunkSignerOptions) {
    this.#options = options;
    this.#previousSignature = options.seedSignature;
  }

  verifyChunk(chunkSha256Hex: string, signature: string): void {
    this.#verify("AWS4-HMAC-SHA256-PAYLOAD", signature, [
      EMPTY_SHA256_HEX,
      chunkSha256Hex,
    ]);
  }

  verifyTrailer(trailerSha256Hex: string, signature: string): void {
    this.#verify("AWS4-HMAC-SHA256-TRAILER", signature, [trailerSha256Hex]);
  }

  #verify(
    algorithm: string,
    signature: string,
    hashes: readonly string[],
  ): void {
    const { accessKeyId, signingKey, scope, timestamp } = this.#options;
    const stringToSign = [
      algorithm,
      timestamp,
      formatScope(scope),
      this.#previousSignature,
      ...hashes,
    ].join("\n");
    const expected = hmacSha256(signingKey, stringToSign).toString("hex");
    if (!equalConstantTime(expected, signature)) {
      throw new GatewayError(
        { kind: "signature_mismatch", accessKeyId },
        "A chunk's signature does not match its content. Check your key and " +
          "signing method.",
      );
    }
    this.#previousSignature = expected;
  }
}
