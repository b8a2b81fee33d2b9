import { GatewayError } from "../domain/failure.ts";

/** S3's limit, and well below what file systems take as a path. */
const KEY_LENGTH_MAX = 1_024;
/** File systems take 255 bytes; folders have one of their own to add. */
const SEGMENT_LENGTH_MAX = 250;

/**
 * Checks a key that the gateway itself has made: `/`-separated segments of
 * `[A-Za-z0-9._-]`. Anything else is a mistake in the gateway, and would be
 * a way out of the store's folder.
 *
 * @throws {GatewayError} `internal`
 */
export function checkKey(key: string): void {
  const segments = key.split("/");
  if (key.length <= KEY_LENGTH_MAX && segments.every(isSegment)) return;
  throw new GatewayError(
    { kind: "internal" },
    "The object store was asked for a key that it does not take.",
  );
}

/** As `checkKey`; a prefix may also be empty or end anywhere in a segment. */
export function checkPrefix(prefix: string): void {
  // Whatever follows may make a whole segment of its last one.
  checkKey(`${prefix}x`);
}

function isSegment(segment: string): boolean {
  return segment.length <= SEGMENT_LENGTH_MAX &&
    /^[A-Za-z0-9._-]+$/.test(segment) && !/^\.{1,2}$/.test(segment);
}
