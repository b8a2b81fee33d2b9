import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  fromBase64,
  isChecksumAlgorithm,
  isChecksumValue,
} from "./checksum.ts";
import { entityTooLarge, S3Failure } from "./failure.ts";

/** S3's limit for one PUT and for one part. */
const BODY_BYTES_MAX = 5 * 1024 ** 3;

/** What the headers promise about a body. */
export interface BodyPromise {
  readonly sizeBytes: number;
  readonly framing: "plain" | "aws_chunked";
  readonly md5Base64: string | null;
  readonly sha256Hex: string | null;
  readonly algorithm: ChecksumAlgorithm | null;
  /** null while it is still to come in a trailer, or was never sent. */
  readonly checksum: string | null;
  readonly trailer: string | null;
}

/** @throws {S3Failure} `InvalidDigest`, `MissingContentLength`, `EntityTooLarge`… */
export function readBodyPromise(headers: Headers): BodyPromise {
  const payload = headers.get("x-amz-content-sha256");
  const framing = payload?.startsWith("STREAMING-") ? "aws_chunked" : "plain";
  const given = findChecksum(headers);
  const trailer = framing === "plain" ? null : readTrailer(headers);
  const md5Base64 = headers.get("content-md5");
  if (md5Base64 !== null && fromBase64(md5Base64, 16) === null) {
    throw new S3Failure(
      "InvalidDigest",
      "The Content-MD5 you specified was invalid.",
      { details: { "Content-MD5": md5Base64 } },
    );
  }
  return {
    sizeBytes: readSize(headers, framing),
    framing,
    md5Base64,
    sha256Hex: readPayloadHash(payload),
    algorithm: given?.algorithm ?? trailer,
    checksum: given?.value ?? null,
    trailer: trailer === null ? null : `x-amz-checksum-${trailer}`,
  };
}

function readSize(headers: Headers, framing: "plain" | "aws_chunked"): number {
  const name = framing === "plain"
    ? "content-length"
    : "x-amz-decoded-content-length";
  const text = headers.get(name);
  // S3 never accepts a body of unknown length, chunked or not.
  if (text === null) {
    throw new S3Failure(
      "MissingContentLength",
      "You must provide the Content-Length HTTP header.",
    );
  }
  const sizeBytes = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(sizeBytes)) {
    throw new S3Failure("InvalidArgument", `Invalid value for ${name}.`);
  }
  if (sizeBytes > BODY_BYTES_MAX) throw entityTooLarge();
  return sizeBytes;
}

function readPayloadHash(payload: string | null): string | null {
  if (payload === null || payload === "UNSIGNED-PAYLOAD") return null;
  if (/^[0-9a-f]{64}$/.test(payload)) return payload;
  const isStreaming =
    /^STREAMING-(UNSIGNED-PAYLOAD-TRAILER|AWS4-(HMAC-SHA256|ECDSA-P256-SHA256)-PAYLOAD(-TRAILER)?)$/
      .test(payload);
  if (isStreaming) return null;
  throw new S3Failure(
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.",
    { details: { ArgumentName: "x-amz-content-sha256" } },
  );
}

function findChecksum(
  headers: Headers,
): { algorithm: ChecksumAlgorithm; value: string } | null {
  const prefix = "x-amz-checksum-";
  const names = [...headers.keys()].filter((name) =>
    name.startsWith(prefix) &&
    !["algorithm", "type", "mode"].includes(name.slice(prefix.length))
  );
  const [name, ...others] = names;
  if (name === undefined) return null;
  if (others.length > 0) {
    throw new S3Failure(
      "InvalidRequest",
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    );
  }
  const algorithm = knownAlgorithm(name.slice(prefix.length));
  const value = headers.get(name) ?? "";
  if (!isChecksumValue(algorithm, value)) {
    throw new S3Failure(
      "InvalidRequest",
      `Value for ${name} header is invalid.`,
    );
  }
  return { algorithm, value };
}

function readTrailer(headers: Headers): ChecksumAlgorithm | null {
  const name = headers.get("x-amz-trailer")?.trim().toLowerCase();
  if (name === undefined || name === "") return null;
  if (!name.startsWith("x-amz-checksum-")) {
    throw new S3Failure(
      "InvalidRequest",
      "The value specified in the x-amz-trailer header is not supported",
    );
  }
  return knownAlgorithm(name.slice("x-amz-checksum-".length));
}

function knownAlgorithm(name: string): ChecksumAlgorithm {
  if (isChecksumAlgorithm(name)) return name;
  throw new S3Failure(
    "NotImplemented",
    `The sandbox knows the checksums ${
      CHECKSUM_ALGORITHMS.join(", ")
    }, not ${name}.`,
  );
}
