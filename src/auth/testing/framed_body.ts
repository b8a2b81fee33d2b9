/** Bodies as clients frame them, and their gateway's view of them. */
import { createHash, createHmac } from "node:crypto";
import { assertRejects } from "@std/assert";
import { type FailureKind, GatewayError } from "../../domain/failure.ts";
import type { ChunkSigner } from "../chunk_signer.ts";
import { createDigest, type DigestAlgorithm } from "../digest.ts";
import { openVerifiedBody, type VerifiedBody } from "../verified_body.ts";

export const BYTES_MAX = 1024 * 1024;
/** Has line ends and looks like framing, to tempt a decoder. */
export const TEXT = '0\r\n{"recordId":"1"}\r\n5;chunk-signature=\r\n'.repeat(8);
export const SHA256_HEX = createHash("sha256").update(TEXT).digest("hex");
export const CRC32 = digestOf("crc32", TEXT);
export const MD5 = digestOf("md5", TEXT);
export const ZEROS = "0".repeat(64);

export function digestOf(algorithm: DigestAlgorithm, text: string): string {
  const digest = createDigest(algorithm);
  digest.update(encode(text));
  return digest.base64();
}

export function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Cuts a text into aws-chunked chunks of `sizeBytes`, without signatures. */
export function frame(
  text: string,
  sizeBytes: number,
  trailer: string,
): string {
  let framed = "";
  for (let i = 0; i < text.length; i += sizeBytes) {
    const chunk = text.slice(i, i + sizeBytes);
    framed += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
  }
  return `${framed}0\r\n${trailer}\r\n`;
}

export interface SignedFrame {
  readonly chunks: readonly string[];
  readonly trailer?: string;
  readonly corrupt?: { chunk?: number; trailer?: boolean };
}

const SEED_SIGNATURE = "5eed".repeat(16);

/** A signer independent of the gateway's: a chain of HMACs under one key. */
function signChain(previous: string, text: string): string {
  return createHmac("sha256", "key").update(previous + text).digest("hex");
}

export function frameSigned(
  { chunks, trailer, corrupt = {} }: SignedFrame,
): string {
  let previous = SEED_SIGNATURE;
  let framed = "";
  for (const [index, chunk] of [...chunks, ""].entries()) {
    previous = signChain(previous, hex(chunk));
    const shown = corrupt.chunk === index ? ZEROS : previous;
    framed += `${chunk.length.toString(16)};chunk-signature=${shown}\r\n`;
    framed += chunk === "" ? "" : `${chunk}\r\n`;
  }
  if (trailer === undefined) return `${framed}\r\n`;
  const signature = corrupt.trailer
    ? ZEROS
    : signChain(previous, hex(`${trailer}\n`));
  return `${framed}${trailer}\r\nx-amz-trailer-signature:${signature}\r\n\r\n`;
}

function hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function createTestSigner(): ChunkSigner {
  let previous = SEED_SIGNATURE;
  function verify(sha256Hex: string, signature: string): void {
    previous = signChain(previous, sha256Hex);
    if (previous === signature) return;
    const accessKeyId = "AKIDEXAMPLE";
    throw new GatewayError({ kind: "signature_mismatch", accessKeyId }, "No.");
  }
  return { verifyChunk: verify, verifyTrailer: verify };
}

export function streamOf(
  parts: Iterable<Uint8Array>,
): ReadableStream<Uint8Array> {
  return ReadableStream.from(parts);
}

export interface Sent {
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly signed?: boolean;
}

export function openBody(
  sent: Sent,
  parts?: Iterable<Uint8Array>,
): VerifiedBody {
  return openVerifiedBody({
    headers: new Headers(sent.headers),
    body: streamOf(parts ?? [encode(sent.body)]),
    chunkSigner: sent.signed ? createTestSigner() : null,
    bytesMax: BYTES_MAX,
  });
}

export async function readAll(body: VerifiedBody): Promise<string> {
  return await new Response(
    body.stream as ReadableStream<Uint8Array<ArrayBuffer>>,
  )
    .text();
}

/** Reads to the error; also tells how many bytes came before it. */
export async function failureOf(
  body: VerifiedBody,
): Promise<{ kind: FailureKind; receivedBytes: number }> {
  let receivedBytes = 0;
  const error = await assertRejects(async () => {
    for await (const bytes of body.stream) receivedBytes += bytes.length;
  }, GatewayError);
  return { kind: error.failure.kind, receivedBytes };
}

export const PLAIN = { "content-length": String(TEXT.length) };
export const DECODED = { "x-amz-decoded-content-length": String(TEXT.length) };
export const UNSIGNED_TRAILER = {
  ...DECODED,
  "content-encoding": "aws-chunked",
  "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
};
export const SIGNED = {
  ...DECODED,
  "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
};
export const SIGNED_TRAILER = {
  ...DECODED,
  "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
  "x-amz-trailer": "x-amz-checksum-crc32",
};
export const CRC32_TRAILER = `x-amz-checksum-crc32:${CRC32}`;
export const HALVES = [TEXT.slice(0, 100), TEXT.slice(100)];
export const TRAILER_FORM = {
  ...UNSIGNED_TRAILER,
  "x-amz-trailer": "x-amz-checksum-crc32",
};
