import { GatewayError } from "../domain/failure.ts";

/** S3's limit for a key, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 1024;

/** What boto3 lets through; S3 itself judges real buckets more narrowly. */
const BUCKET_NAME = /^[a-zA-Z0-9.\-_]{1,255}$/;

/** @throws {GatewayError} `invalid_bucket_name`. */
export function requireBucketName(bucket: string): void {
  if (BUCKET_NAME.test(bucket) && bucket !== "." && bucket !== "..") return;
  throw new GatewayError(
    { kind: "invalid_bucket_name", bucket: bucket.slice(0, 255) },
    "The specified bucket is not valid.",
  );
}

/** @throws {GatewayError} `key_too_long`, `invalid_argument`. */
export function requireKey(key: string): void {
  const sizeBytes = new TextEncoder().encode(key).length;
  if (sizeBytes > KEY_BYTES_MAX) {
    throw new GatewayError(
      { kind: "key_too_long", sizeBytes, bytesMax: KEY_BYTES_MAX },
      "Your key is too long",
    );
  }
  if (key === "") {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "Key" },
      "A key holds at least one character.",
    );
  }
}
