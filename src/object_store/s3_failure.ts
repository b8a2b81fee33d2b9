import { type Subject, toGatewayError } from "../aws/failures.ts";
import { GatewayError } from "../domain/failure.ts";

const SUBJECT: Subject = {
  service: "S3",
  missing: { kind: "no_such_key", key: "" },
  bucket: null,
};

/** How S3 servers say that there is no room. */
const FULL = /QuotaExceeded|InsufficientStorage|StorageFull|EntityTooLarge/;

/** Whether S3 said that there is no such object. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && error.name !== "NoSuchBucket" &&
    toGatewayError(error, SUBJECT).failure.kind === "no_such_key";
}

/**
 * The GatewayError for whatever a command on the store's own bucket threw.
 * What S3 refuses the gateway is not the caller's doing, so it never looks
 * like the caller's own missing right or bucket.
 */
export function toS3StoreFailure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof Error && FULL.test(error.name)) {
    return new GatewayError(
      { kind: "storage_full" },
      "The gateway's object store is full.",
      { cause: error },
    );
  }
  const { failure, message } = toGatewayError(error, SUBJECT);
  const passes = failure.kind === "rate_limited" ||
    failure.kind === "upstream_timeout";
  return new GatewayError(
    passes ? failure : { kind: "upstream_unavailable" },
    `The gateway's object store cannot be used: ${message}`,
    { cause: error },
  );
}
