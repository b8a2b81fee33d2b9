import { lastSegment } from "./key_order.ts";

const NAME_LENGTH_MAX = 128;

/**
 * The file name under which a provider gets an object: the end of the key's
 * last segment, in characters that are safe in every header and form. A driver
 * adds what else its provider asks of a name.
 */
export function providerFileName(key: string): string {
  const safe = lastSegment(key).replace(/[^A-Za-z0-9._-]/gu, "_");
  return safe.slice(-NAME_LENGTH_MAX);
}
