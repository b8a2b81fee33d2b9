import { checkDigest } from "../auth/body_plan.ts";
import { parseDigestAlgorithm } from "../auth/digest.ts";
import { GatewayError } from "../domain/failure.ts";
import type {
  ChecksumAlgorithm,
  ChecksumType,
  UploadChecksum,
} from "../domain/uploads/checksums.ts";
import type { ExpectedChecksum } from "../domain/uploads/upload.ts";

const CHECKSUM_PREFIX = "x-amz-checksum-";

/** Headers with the prefix that hold no checksum. */
const CHECKSUM_OPTIONS: ReadonlySet<string> = new Set([
  "algorithm",
  "mode",
  "type",
]);

/**
 * Which types each algorithm has, its default first; S3 User Guide, "Checking
 * object integrity".
 */
const TYPES: Readonly<Record<ChecksumAlgorithm, readonly ChecksumType[]>> = {
  crc32: ["COMPOSITE", "FULL_OBJECT"],
  crc32c: ["COMPOSITE", "FULL_OBJECT"],
  crc64nvme: ["FULL_OBJECT"],
  sha1: ["COMPOSITE"],
  sha256: ["COMPOSITE"],
  sha512: ["COMPOSITE"],
  md5: ["COMPOSITE"],
};

/**
 * What CreateMultipartUpload asks for; null where it asks for no checksum.
 *
 * @throws {GatewayError} `invalid_request`.
 */
export function readUploadChecksum(headers: Headers): UploadChecksum | null {
  const type = readChecksumType(headers);
  const algorithm = readChecksumAlgorithm(headers);
  if (algorithm === null) {
    if (type === null) return null;
    throw invalid(
      "The x-amz-checksum-type header can only be used with the " +
        "x-amz-checksum-algorithm header.",
    );
  }
  const types = TYPES[algorithm];
  const chosen = type ?? types[0] ?? "COMPOSITE";
  if (types.includes(chosen)) return { algorithm, type: chosen };
  throw invalid(
    `The ${chosen} checksum type cannot be used with the ` +
      `${algorithm} checksum algorithm.`,
  );
}

/** @throws {GatewayError} `invalid_request`. */
export function readChecksumAlgorithm(
  headers: Headers,
): ChecksumAlgorithm | null {
  const text = headers.get("x-amz-checksum-algorithm");
  if (text === null) return null;
  const algorithm = parseDigestAlgorithm(text);
  if (algorithm !== null) return algorithm;
  throw invalid(
    "Checksum algorithm provided is unsupported. Please try again with any " +
      "of CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512 or MD5.",
  );
}

/** @throws {GatewayError} `invalid_request`. */
export function readChecksumType(headers: Headers): ChecksumType | null {
  const text = headers.get("x-amz-checksum-type")?.trim().toUpperCase();
  if (text === undefined) return null;
  if (text === "COMPOSITE" || text === "FULL_OBJECT") return text;
  throw invalid("Value for x-amz-checksum-type header is invalid.");
}

/**
 * The checksum of the whole object that CompleteMultipartUpload gives.
 *
 * @throws {GatewayError} `invalid_request`, `invalid_digest`.
 */
export function readExpectedChecksum(
  headers: Headers,
): ExpectedChecksum | null {
  const given = [...headers].filter(([name]) =>
    name.startsWith(CHECKSUM_PREFIX) &&
    !CHECKSUM_OPTIONS.has(name.slice(CHECKSUM_PREFIX.length))
  );
  const [first] = given;
  if (first === undefined) return null;
  if (given.length > 1) {
    throw invalid(
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are " +
        "not allowed.",
    );
  }
  const [name, text] = first;
  const algorithm = parseDigestAlgorithm(name.slice(CHECKSUM_PREFIX.length));
  if (algorithm === null) throw invalid(`The header ${name} is not supported.`);
  const value = text.trim();
  checkDigest(name, value.replace(/-[0-9]{1,5}$/, ""), algorithm);
  return { algorithm, value };
}

function invalid(message: string): GatewayError {
  return new GatewayError({ kind: "invalid_request" }, message);
}
