import type { ChunkSigner } from "../auth/authenticator.ts";
import { openVerifiedBody, type VerifiedBody } from "../auth/verified_body.ts";
import type { CallContext } from "../domain/context.ts";
import { GatewayError } from "../domain/failure.ts";
import type { RequestBody } from "./request_body.ts";
import { XML_BYTES_MAX } from "./xml.ts";

/** One authenticated request, as operations see it. */
export interface S3Exchange {
  readonly context: CallContext;
  /** Those of the request, and those that a presigned URL carries. */
  readonly headers: Headers;
  readonly body: RequestBody;
  readonly chunkSigner: ChunkSigner | null;
}

/**
 * The body with every integrity field checked as it passes; its stream fails
 * where one does not hold.
 */
export function openBody(
  exchange: S3Exchange,
  bytesMax: number,
): VerifiedBody {
  return openVerifiedBody({
    headers: exchange.headers,
    body: exchange.body.stream,
    chunkSigner: exchange.chunkSigner,
    bytesMax,
  });
}

/** A body small enough to hold: one of S3's XML documents. */
export interface Document {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Every checksum of it that the client sent, trailers included. */
  readonly checksums: Readonly<Record<string, string>>;
}

/**
 * Whether `x-amz-checksum-*` headers speak of the document itself.
 * CompleteMultipartUpload's speak of the object that it makes.
 */
export type ChecksumSubject = "document" | "object";

/** @throws {GatewayError} `entity_too_large` and what verification finds. */
export async function readDocument(
  exchange: S3Exchange,
  subject: ChecksumSubject = "document",
): Promise<Document> {
  const headers = subject === "document"
    ? exchange.headers
    : withoutChecksums(exchange.headers);
  const body = openBody({ ...exchange, headers }, XML_BYTES_MAX);
  const bytes = new Uint8Array(body.sizeBytes);
  let filledBytes = 0;
  for await (const chunk of body.stream) {
    if (filledBytes + chunk.length > bytes.length) throw overlong();
    bytes.set(chunk, filledBytes);
    filledBytes += chunk.length;
  }
  return {
    bytes: bytes.subarray(0, filledBytes),
    checksums: { ...body.checksums, ...trailerChecksum(body) },
  };
}

const CHECKSUM_PREFIX = "x-amz-checksum-";

function withoutChecksums(headers: Headers): Headers {
  return new Headers(
    [...headers].filter(([name]) =>
      !name.startsWith(CHECKSUM_PREFIX) &&
      name !== "x-amz-sdk-checksum-algorithm"
    ),
  );
}

/** The checksum that came in the trailer, once the body has been read. */
function trailerChecksum(
  { trailer }: Pick<VerifiedBody, "trailer">,
): Record<string, string> {
  if (trailer === undefined) return {};
  return { [trailer.name.replace(CHECKSUM_PREFIX, "")]: trailer.value() };
}

function overlong(): GatewayError {
  return new GatewayError(
    { kind: "incomplete_body" },
    "The body is longer than its announced length.",
  );
}
