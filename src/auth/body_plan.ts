import { Buffer } from "node:buffer";
import { GatewayError } from "../domain/failure.ts";
import {
  DIGEST_SIZE_BYTES,
  type DigestAlgorithm,
  parseDigestAlgorithm,
} from "./digest.ts";

/** What a request's headers promise about its body. */
export interface BodyPlan {
  readonly framing: BodyFraming;
  /** Of the body with any framing removed. */
  readonly sizeBytes: number;
  readonly digests: readonly ExpectedDigest[];
  /** The checksum that the client announced to send behind the body. */
  readonly trailer: AnnouncedTrailer | null;
  readonly contentEncoding: string | null;
  readonly checksums: Readonly<Record<string, string>>;
}

/** How the bytes lie on the wire; `plain` has no aws-chunked framing. */
export type BodyFraming =
  | { readonly kind: "plain" }
  | {
    readonly kind: "chunked";
    /** Whether chunk headers, and then the trailer, bear signatures. */
    readonly signatures: "none" | "chunks" | "chunks_and_trailer";
  };

export interface ExpectedDigest {
  readonly algorithm: DigestAlgorithm;
  readonly base64: string;
  /** Where the client gave it, which decides the error. */
  readonly source: "content_sha256" | "content_md5" | "checksum";
}

export interface AnnouncedTrailer {
  /** Lower-case, such as `x-amz-checksum-crc32`. */
  readonly name: string;
  readonly algorithm: DigestAlgorithm;
}

const CHECKSUM_PREFIX = "x-amz-checksum-";

/** Headers with the prefix that hold no checksum. */
const CHECKSUM_OPTIONS: ReadonlySet<string> = new Set([
  "algorithm",
  "mode",
  "type",
]);

/** In S3's model, but with no implementation here. */
const UNSUPPORTED_ALGORITHMS: ReadonlySet<string> = new Set([
  "xxhash64",
  "xxhash3",
  "xxhash128",
]);

/**
 * Reads everything that the headers say about the body, so that a request which
 * contradicts itself is refused before a byte of it is read.
 *
 * @throws {GatewayError} `missing_content_length`, `entity_too_large`,
 * `invalid_argument`, `invalid_digest`, `invalid_request`, `unsupported`
 */
export function planBody(headers: Headers, bytesMax: number): BodyPlan {
  const contentSha256 = headers.get("x-amz-content-sha256");
  const framing = readFraming(headers, contentSha256);
  const sizeBytes = readSize(headers, framing, bytesMax);
  const checksum = readChecksum(headers);
  const trailer = readTrailer(headers, framing);
  if (checksum !== null && trailer !== null) throw severalChecksums();
  checkSdkAlgorithm(headers, checksum?.algorithm ?? trailer?.algorithm ?? null);
  const md5 = readContentMd5(headers);
  return {
    framing,
    sizeBytes,
    digests: [readContentSha256(contentSha256), md5, checksum]
      .filter((digest) => digest !== null),
    trailer,
    contentEncoding: readContentEncoding(headers),
    checksums: checksum === null
      ? {}
      : { [checksum.algorithm]: checksum.base64 },
  };
}

// ---------------------------------------------------------------- framing

function readFraming(
  headers: Headers,
  contentSha256: string | null,
): BodyFraming {
  switch (contentSha256) {
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
      return { kind: "chunked", signatures: "none" };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
      return { kind: "chunked", signatures: "chunks" };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      return { kind: "chunked", signatures: "chunks_and_trailer" };
  }
  if (contentSha256?.startsWith("STREAMING-")) {
    throw new GatewayError(
      { kind: "unsupported" },
      `The payload form ${contentSha256.slice(0, 100)} is not supported; use ` +
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER or " +
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD.",
    );
  }
  // A client without credentials frames its body but has no signer to say so.
  const isUnsignedChunked = contentSha256 === null &&
    listEncodings(headers).some(isAwsChunked) &&
    headers.has("x-amz-decoded-content-length");
  return isUnsignedChunked
    ? { kind: "chunked", signatures: "none" }
    : { kind: "plain" };
}

function readSize(
  headers: Headers,
  framing: BodyFraming,
  bytesMax: number,
): number {
  const name = framing.kind === "plain"
    ? "content-length"
    : "x-amz-decoded-content-length";
  const text = headers.get(name);
  if (text === null) {
    throw new GatewayError(
      { kind: "missing_content_length" },
      framing.kind === "plain"
        ? "You must provide the Content-Length HTTP header."
        : "You must provide the x-amz-decoded-content-length HTTP header.",
    );
  }
  if (!/^\d{1,15}$/.test(text)) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: name, value: text.slice(0, 100) },
      `The header ${name} must be a number of bytes.`,
    );
  }
  const sizeBytes = Number(text);
  if (sizeBytes <= bytesMax) return sizeBytes;
  throw new GatewayError(
    { kind: "entity_too_large", sizeBytes, bytesMax },
    `Your proposed upload of ${sizeBytes} bytes exceeds the maximum allowed ` +
      `size of ${bytesMax} bytes.`,
  );
}

function readContentEncoding(headers: Headers): string | null {
  const kept = listEncodings(headers).filter((name) => !isAwsChunked(name));
  const encoding = kept.join(",").trim();
  return encoding === "" ? null : encoding;
}

function listEncodings(headers: Headers): string[] {
  return (headers.get("content-encoding") ?? "").split(",");
}

function isAwsChunked(encoding: string): boolean {
  return encoding.trim().toLowerCase() === "aws-chunked";
}

// ---------------------------------------------------------------- digests

function readContentSha256(value: string | null): ExpectedDigest | null {
  if (
    value === null || value === "UNSIGNED-PAYLOAD" ||
    value.startsWith("STREAMING-")
  ) return null;
  if (!/^[0-9a-fA-F]{64}$/.test(value)) {
    throw new GatewayError(
      {
        kind: "invalid_argument",
        argument: "x-amz-content-sha256",
        value: value.slice(0, 100),
      },
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, " +
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, " +
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
    );
  }
  const base64 = Buffer.from(value, "hex").toString("base64");
  return { algorithm: "sha256", base64, source: "content_sha256" };
}

function readContentMd5(headers: Headers): ExpectedDigest | null {
  const base64 = headers.get("content-md5");
  if (base64 === null) return null;
  if (!isDigest(base64, "md5")) {
    throw new GatewayError(
      { kind: "invalid_digest", algorithm: "Content-MD5" },
      "The Content-MD5 you specified was invalid.",
    );
  }
  return { algorithm: "md5", base64, source: "content_md5" };
}

function readChecksum(headers: Headers): ExpectedDigest | null {
  const given = [...headers].filter(([name]) =>
    name.startsWith(CHECKSUM_PREFIX) &&
    !CHECKSUM_OPTIONS.has(name.slice(CHECKSUM_PREFIX.length))
  );
  if (given.length > 1) throw severalChecksums();
  const [header] = given;
  if (header === undefined) return null;
  const [name, base64] = header;
  const algorithm = requireAlgorithm(name.slice(CHECKSUM_PREFIX.length));
  checkDigest(name, base64, algorithm);
  return { algorithm, base64, source: "checksum" };
}

function readTrailer(
  headers: Headers,
  framing: BodyFraming,
): AnnouncedTrailer | null {
  const name = headers.get("x-amz-trailer")?.trim().toLowerCase() ?? null;
  if (name === null || name === "") return null;
  if (framing.kind === "plain" || framing.signatures === "chunks") {
    throw new GatewayError(
      { kind: "invalid_request" },
      "x-amz-trailer needs an x-amz-content-sha256 that ends in -TRAILER.",
    );
  }
  if (!name.startsWith(CHECKSUM_PREFIX) || name.includes(",")) {
    throw new GatewayError(
      { kind: "invalid_request" },
      "The value specified in the x-amz-trailer header is not supported; it " +
        "must be the name of one x-amz-checksum- header.",
    );
  }
  const algorithm = requireAlgorithm(name.slice(CHECKSUM_PREFIX.length));
  return { name, algorithm };
}

/**
 * `x-amz-sdk-checksum-algorithm` says which checksum an SDK has added; one that
 * is missing was lost on the way.
 */
function checkSdkAlgorithm(
  headers: Headers,
  given: DigestAlgorithm | null,
): void {
  const name = headers.get("x-amz-sdk-checksum-algorithm");
  if (name === null) return;
  const announced = requireAlgorithm(name.trim().toLowerCase());
  if (announced === given) return;
  throw new GatewayError(
    { kind: "invalid_request" },
    given === null
      ? "x-amz-sdk-checksum-algorithm specified, but no corresponding " +
        "x-amz-checksum-* or x-amz-trailer headers were found."
      : "Value for x-amz-sdk-checksum-algorithm header is invalid.",
  );
}

/** @throws {GatewayError} `invalid_digest` where the text is no such digest. */
export function checkDigest(
  headerName: string,
  base64: string,
  algorithm: DigestAlgorithm,
): void {
  if (isDigest(base64, algorithm)) return;
  throw new GatewayError(
    { kind: "invalid_digest", algorithm: algorithm.toUpperCase() },
    `Value for ${headerName} header is invalid.`,
  );
}

function requireAlgorithm(name: string): DigestAlgorithm {
  const algorithm = parseDigestAlgorithm(name);
  if (algorithm !== null) return algorithm;
  if (UNSUPPORTED_ALGORITHMS.has(name)) {
    throw new GatewayError(
      { kind: "unsupported" },
      `The checksum algorithm ${name.toUpperCase()} is not supported; use ` +
        "CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512 or MD5.",
    );
  }
  throw new GatewayError(
    { kind: "invalid_request" },
    "Checksum algorithm provided is unsupported. Please try again with any of " +
      "CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512 or MD5.",
  );
}

function isDigest(base64: string, algorithm: DigestAlgorithm): boolean {
  const bytes = Buffer.from(base64, "base64");
  return bytes.length === DIGEST_SIZE_BYTES[algorithm] &&
    bytes.toString("base64") === base64;
}

function severalChecksums(): GatewayError {
  return new GatewayError(
    { kind: "invalid_request" },
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are " +
      "not allowed.",
  );
}
