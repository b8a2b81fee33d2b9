/**
 * Answers about batches may carry whole requests and responses inline, tens of
 * megabytes of them in one JSON text. These streams read such a text byte by
 * byte, so that the bulk can be left out, or taken out line by line, without
 * ever being held.
 */

/** Keys are compared up to this length; the ones looked for are shorter. */
const KEY_BYTES_MAX = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);
const BRACKET = 0x5b;
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Where one byte of the text lies, seen from the arrays looked for. */
type Place = "outside" | "element" | "comma" | "space" | "end";

class ArrayScanner {
  readonly #keys: ReadonlySet<string>;
  #inString = false;
  #escaped = false;
  /** Brackets open within the array; 0 outside of it. */
  #depth = 0;
  /** The last string outside, which may be a key, and what followed it. */
  #text: number[] = [];
  #key: string | null = null;

  constructor(keys: readonly string[]) {
    this.#keys = new Set(keys);
  }

  /** Takes the next byte of the text. */
  next(byte: number): Place {
    const inside = this.#depth > 0;
    if (this.#inString) {
      this.#readString(byte);
      return inside ? "element" : "outside";
    }
    if (byte === QUOTE) {
      this.#inString = true;
      this.#text = [];
      return inside ? "element" : "outside";
    }
    return inside ? this.#readInside(byte) : this.#readOutside(byte);
  }

  #readString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
    if (this.#inString && this.#depth === 0) this.#keep(byte);
  }

  #keep(byte: number): void {
    if (this.#text.length <= KEY_BYTES_MAX) this.#text.push(byte);
  }

  #readInside(byte: number): Place {
    if (SPACES.has(byte)) return "space";
    if (OPENING.has(byte)) this.#depth++;
    else if (CLOSING.has(byte) && --this.#depth === 0) return "end";
    return byte === COMMA && this.#depth === 1 ? "comma" : "element";
  }

  #readOutside(byte: number): Place {
    if (SPACES.has(byte)) return "outside";
    if (byte === BRACKET && this.#key !== null && this.#keys.has(this.#key)) {
      this.#depth = 1;
    }
    this.#key = byte === COLON ? String.fromCharCode(...this.#text) : null;
    return "outside";
  }
}

/** The JSON text with every array under one of `keys` emptied. */
export class EmptiedArrays extends TransformStream<Uint8Array, Uint8Array> {
  constructor(keys: readonly string[]) {
    const scanner = new ArrayScanner(keys);
    super({
      transform(chunk, controller): void {
        const kept = new Uint8Array(chunk.byteLength);
        let length = 0;
        for (const byte of chunk) {
          const place = scanner.next(byte);
          if (place === "outside" || place === "end") kept[length++] = byte;
        }
        if (length > 0) controller.enqueue(kept.subarray(0, length));
      },
    });
  }
}

/** The elements of the first array under `key`, one a line; none: nothing. */
export class ArrayLines extends TransformStream<Uint8Array, Uint8Array> {
  constructor(key: string) {
    const scanner = new ArrayScanner([key]);
    let empty = true;
    let ended = false;
    super({
      transform(chunk, controller): void {
        const lines = new Uint8Array(chunk.byteLength);
        let length = 0;
        for (const byte of chunk) {
          const place = scanner.next(byte);
          if (place === "element") {
            empty = false;
            lines[length++] = byte;
          } else if (place === "comma" || (place === "end" && !empty)) {
            lines[length++] = NEWLINE;
          }
          ended = place === "end";
          if (ended) break;
        }
        if (length > 0) controller.enqueue(lines.subarray(0, length));
        if (ended) controller.terminate();
      },
    });
  }
}
