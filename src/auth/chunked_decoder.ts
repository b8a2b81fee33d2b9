import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { GatewayError } from "../domain/failure.ts";
import type { BodyFraming } from "./body_plan.ts";
import type { ChunkSigner } from "./chunk_signer.ts";

/** `<hex length>[;chunk-signature=<64 hex>]`, without the line's end. */
const CHUNK_HEADER =
  /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/;
/** Fits the longest header that the pattern takes, and nothing much longer. */
const CHUNK_HEADER_LENGTH_MAX = 96;
const TRAILER_LENGTH_MAX = 8192;
/** Below this average, many pieces cost more than one copy of them. */
const PIECE_BYTES_MIN = 4096;
const LINE_FEED = 10;

const TRAILER_SIGNATURE = "x-amz-trailer-signature";
/**
 * Lines and then an empty one. Some clients end the empty chunk like any other,
 * so that an empty line comes first; minio-go ends lines with LF alone and puts
 * one more empty line behind them, before the signature if there is one.
 */
const TRAILERS =
  /^(?:\r\n(?=[^\r\n]))?(?:((?:[^\r\n]+\r\n)*)|((?:[^\r\n]+\n)+)\r\n(x-amz-trailer-signature:[^\r\n]*\r\n)?)\r\n$/;

export interface ChunkedDecoderOptions {
  /** What `x-amz-decoded-content-length` says. */
  readonly sizeBytes: number;
  readonly signatures: Extract<BodyFraming, { kind: "chunked" }>["signatures"];
  /** Null: signatures must be there, but nobody can check them. */
  readonly chunkSigner: ChunkSigner | null;
}

/**
 * Takes the aws-chunked framing off a body, however its bytes are cut; see
 * "Transferring Payload in Multiple Chunks" and "Including Trailing Headers" in
 * the S3 API Reference. Payload is handed out as views of the bytes given.
 */
export class ChunkedDecoder {
  readonly #options: ChunkedDecoderOptions;
  #state: "header" | "data" | "data_end" | "trailer" = "header";
  /** The start of a line, or the trailer, whose end has not come yet. */
  #text = "";
  #chunkBytesLeft = 0;
  #decodedBytes = 0;
  #chunkSignature = "";
  #chunkHash: Hash | null = null;

  constructor(options: ChunkedDecoderOptions) {
    this.#options = options;
  }

  /**
   * The payload in the next bytes of the body; none of it is empty.
   *
   * @throws {GatewayError} `incomplete_body`, `signature_mismatch`
   */
  decode(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let position = 0;
    while (position < bytes.length) {
      if (this.#state === "data") {
        const piece = bytes.subarray(position, position + this.#chunkBytesLeft);
        this.#takeData(piece);
        pieces.push(piece);
        position += piece.length;
      } else if (this.#state === "trailer") {
        this.#append(bytes.subarray(position), TRAILER_LENGTH_MAX);
        position = bytes.length;
      } else {
        position = this.#takeLine(bytes, position);
      }
    }
    return joinSmall(pieces);
  }

  /**
   * The trailing headers by lower-case name, once the whole body has come.
   *
   * @throws {GatewayError} `incomplete_body`, `signature_mismatch`
   */
  finish(): ReadonlyMap<string, string> {
    if (this.#state !== "trailer") throw incompleteBody(ENDS_EARLY);
    const trailers = parseTrailers(this.#text);
    if (this.#options.signatures === "chunks_and_trailer") {
      this.#verifyTrailers(trailers);
    }
    return trailers;
  }

  #takeData(piece: Uint8Array): void {
    this.#chunkHash?.update(piece);
    this.#chunkBytesLeft -= piece.length;
    this.#decodedBytes += piece.length;
    if (this.#chunkBytesLeft > 0) return;
    this.#verifyChunk();
    this.#state = "data_end";
  }

  /** Reads up to the end of the line; returns where it stopped. */
  #takeLine(bytes: Uint8Array, position: number): number {
    const end = bytes.indexOf(LINE_FEED, position);
    const stop = end < 0 ? bytes.length : end;
    this.#append(bytes.subarray(position, stop), CHUNK_HEADER_LENGTH_MAX);
    if (end < 0) return stop;
    const line = this.#text;
    this.#text = "";
    if (!line.endsWith("\r")) throw incompleteBody(BROKEN_FRAMING);
    if (this.#state === "header") this.#startChunk(line.slice(0, -1));
    else if (line === "\r") this.#state = "header";
    else throw incompleteBody(BROKEN_FRAMING);
    return stop + 1;
  }

  #append(bytes: Uint8Array, lengthMax: number): void {
    if (this.#text.length + bytes.length > lengthMax) {
      throw incompleteBody(BROKEN_FRAMING);
    }
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#text += view.toString("latin1");
  }

  #startChunk(header: string): void {
    const [, length, signature] = CHUNK_HEADER.exec(header) ?? [];
    const isSigned = this.#options.signatures !== "none";
    if (length === undefined || isSigned !== (signature !== undefined)) {
      throw incompleteBody(BROKEN_FRAMING);
    }
    this.#chunkBytesLeft = Number.parseInt(length, 16);
    this.#chunkSignature = signature ?? "";
    this.#chunkHash = this.#options.chunkSigner !== null && isSigned
      ? createHash("sha256")
      : null;
    const bytesLeft = this.#options.sizeBytes - this.#decodedBytes;
    if (this.#chunkBytesLeft > bytesLeft) throw incompleteBody(TOO_LONG);
    this.#state = "data";
    if (this.#chunkBytesLeft > 0) return;
    if (bytesLeft > 0) throw incompleteBody(ENDS_EARLY);
    this.#verifyChunk();
    this.#state = "trailer";
  }

  #verifyChunk(): void {
    if (this.#chunkHash === null) return;
    const sha256Hex = this.#chunkHash.digest("hex");
    this.#options.chunkSigner?.verifyChunk(sha256Hex, this.#chunkSignature);
  }

  #verifyTrailers(trailers: Map<string, string>): void {
    const signature = trailers.get(TRAILER_SIGNATURE);
    trailers.delete(TRAILER_SIGNATURE);
    if (signature === undefined) {
      throw incompleteBody("The body has no x-amz-trailer-signature.");
    }
    const hash = createHash("sha256");
    for (const [name, value] of trailers) hash.update(`${name}:${value}\n`);
    this.#options.chunkSigner?.verifyTrailer(hash.digest("hex"), signature);
  }
}

const BROKEN_FRAMING = "The body's aws-chunked framing is broken.";
const TOO_LONG =
  "The body is longer than its x-amz-decoded-content-length header says.";
const ENDS_EARLY = "You did not provide the number of bytes specified by the " +
  "x-amz-decoded-content-length HTTP header.";

function incompleteBody(message: string): GatewayError {
  return new GatewayError({ kind: "incomplete_body" }, message);
}

/** Parses what follows the last chunk; some clients leave out the last line. */
function parseTrailers(text: string): Map<string, string> {
  const trailers = new Map<string, string>();
  if (text === "") return trailers;
  const match = TRAILERS.exec(text);
  if (match === null) {
    throw incompleteBody("The body does not end as its trailing headers must.");
  }
  const [, usual = "", unusual = "", signature = ""] = match;
  const lines = `${usual}${unusual}${signature}`.split(/\r?\n/).slice(0, -1);
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name === "" || trailers.has(name)) {
      throw incompleteBody("The body's trailing headers are malformed.");
    }
    trailers.set(name, line.slice(colon + 1).trim());
  }
  return trailers;
}

/** One copy for bodies of very small chunks, views for all others. */
function joinSmall(pieces: Uint8Array[]): Uint8Array[] {
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (sizeBytes >= pieces.length * PIECE_BYTES_MIN || pieces.length < 2) {
    return pieces;
  }
  const joined = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return [joined];
}
