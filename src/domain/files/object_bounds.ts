import { GatewayError } from "../failure.ts";
import { keySizeBytes } from "./key_order.ts";
import type { WriteTarget } from "./file_writer.ts";

/** S3's bound on a key; see "Naming Amazon S3 objects". */
const KEY_BYTES_MAX = 1024;

/**
 * All headers of an object together, as JSON. S3 bounds the metadata alone, at
 * 2 KB; this also bounds the rest, far below what one KV value holds.
 */
const HEADERS_BYTES_MAX = 16 * 1024;

/** @throws {GatewayError} `entity_too_large` and what `checkNaming` finds. */
export function checkBounds(target: WriteTarget, bytesMax: number): void {
  checkSize(target.sizeBytes, bytesMax);
  checkNaming(target);
}

/** @throws {GatewayError} `entity_too_large`. */
export function checkSize(sizeBytes: number, bytesMax: number): void {
  if (sizeBytes <= bytesMax) return;
  throw new GatewayError(
    { kind: "entity_too_large", sizeBytes, bytesMax },
    `The object has ${sizeBytes} bytes; the provider takes at most ` +
      `${bytesMax}.`,
  );
}

/** @throws {GatewayError} `key_too_long`, `metadata_too_large`. */
export function checkNaming(
  { key, headers }: Pick<WriteTarget, "key" | "headers">,
): void {
  const keyBytes = keySizeBytes(key);
  if (keyBytes > KEY_BYTES_MAX) {
    throw new GatewayError(
      { kind: "key_too_long", sizeBytes: keyBytes, bytesMax: KEY_BYTES_MAX },
      "Your key is too long",
    );
  }
  const headersBytes = keySizeBytes(JSON.stringify(headers));
  if (headersBytes > HEADERS_BYTES_MAX) {
    throw new GatewayError(
      {
        kind: "metadata_too_large",
        sizeBytes: headersBytes,
        bytesMax: HEADERS_BYTES_MAX,
      },
      "Your metadata headers exceed the maximum allowed metadata size",
    );
  }
}
