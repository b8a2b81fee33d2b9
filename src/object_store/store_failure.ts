import { GatewayError } from "../domain/failure.ts";

/** No room: on the disk, under the quota, or for so large a file. */
const FULL_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** The GatewayError for whatever the file system, or a body, failed with. */
export function toStoreFailure(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = systemCode(error);
  if (code !== null && FULL_CODES.has(code)) {
    return new GatewayError(
      { kind: "storage_full" },
      "The gateway's object store is full.",
      { cause: error },
    );
  }
  return new GatewayError(
    { kind: "upstream_unavailable" },
    `The gateway's object store cannot be used${
      code === null ? "" : ` (${code})`
    }.`,
    { cause: error },
  );
}

/** What a body fails with is its own failure, or that of whoever sent it. */
export function toBodyFailure(error: unknown): GatewayError {
  return error instanceof GatewayError ? error : new GatewayError(
    { kind: "incomplete_body" },
    "The bytes to be stored ended with an error.",
    { cause: error },
  );
}

/** The failure of a write whose signal was aborted. */
export function abortFailure(signal: AbortSignal): GatewayError {
  return signal.reason instanceof GatewayError
    ? signal.reason
    : new GatewayError(
      { kind: "request_timeout" },
      "The request ended before all of its bytes were stored.",
      { cause: signal.reason },
    );
}

/** The code that the operating system gave, such as `ENOSPC`. */
function systemCode(error: unknown): string | null {
  return error instanceof Error && "code" in error &&
      typeof error.code === "string"
    ? error.code
    : null;
}
