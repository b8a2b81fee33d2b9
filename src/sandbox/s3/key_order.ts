/**
 * S3 lists keys in the order of their UTF-8 bytes. JavaScript compares UTF-16
 * units, which puts U+FFFD after an emoji; code points give the byte order.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    if (a.charCodeAt(index) === b.charCodeAt(index)) continue;
    return codePointAround(a, index) - codePointAround(b, index);
  }
  return a.length - b.length;
}

/** A code point from its first or from its second half. */
function codePointAround(text: string, index: number): number {
  const unit = text.charCodeAt(index);
  const isLowHalf = unit >= 0xdc00 && unit <= 0xdfff && index > 0;
  return text.codePointAt(isLowHalf ? index - 1 : index) ?? unit;
}

/** Keys kept in S3's order, each once. */
export class SortedKeys {
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  add(key: string): void {
    const index = this.indexFrom(key);
    if (this.#keys[index] !== key) this.#keys.splice(index, 0, key);
  }

  remove(key: string): void {
    const index = this.indexFrom(key);
    if (this.#keys[index] === key) this.#keys.splice(index, 1);
  }

  at(index: number): string | undefined {
    return this.#keys[index];
  }

  /** The index of the first key that is not before `key`. */
  indexFrom(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle] ?? "", key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
