/**
 * The order of S3 keys: by UTF-8 bytes. It differs from that of JavaScript's
 * strings, which compare UTF-16 units, only where surrogates meet the units
 * above them.
 */
export function compareKeys(a: string, b: string): number {
  const sharedLength = Math.min(a.length, b.length);
  for (let i = 0; i < sharedLength; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

const SURROGATE_FIRST = 0xd800;
const SURROGATE_LAST = 0xdfff;

/** Places surrogates, halves of astral characters, behind every other unit. */
function rank(unit: number): number {
  if (unit < SURROGATE_FIRST) return unit;
  return unit <= SURROGATE_LAST ? unit + 0x10000 : unit;
}

/** What follows the last slash of a key; "" for a folder marker. */
export function lastSegment(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** The length that S3 bounds at 1,024: that of the key in UTF-8. */
export function keySizeBytes(key: string): number {
  return new TextEncoder().encode(key).length;
}
