import type { ByteStream } from "../domain/bytes.ts";

/** The record formats that are told apart by a record's top-level keys. */
export type RecordFormat = "bedrock" | "openai" | "gemini" | "anthropic";

/** Bytes looked at before the first record counts as undecided. */
export const DETECT_BYTES_MAX = 64 * 1024;

/** Keys that only one format has at the top of a record. */
const DECISIVE_KEYS: ReadonlyMap<string, RecordFormat> = new Map([
  ["modelInput", "bedrock"],
  ["request", "gemini"],
  ["params", "anthropic"],
  ["body", "openai"],
]);

/** No key of interest is longer, even with every letter written `\uXXXX`. */
const KEY_BYTES_MAX = 64;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const TAB = 0x09;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Tells the format of a JSONL file from the top-level keys of its first
 * record, byte by byte, deciding at the first key that only one format has.
 * Holds no more than one key, however long the record is.
 */
export class FormatDetector {
  #decided = false;
  #format: RecordFormat | null = null;
  #seenBytes = 0;
  #depth = 0;
  #expected: "key" | "colon" | "value" = "key";
  #inString = false;
  #escaped = false;
  /** Bytes of the top-level key being read; null: not within such a key. */
  #key: number[] | null = null;
  #keyText = "";
  #hasCustomId = false;
  #hasRoute = false;

  /** Whether more bytes could not change the answer. */
  get decided(): boolean {
    return this.#decided;
  }

  /** Null until decided, and for what is no known record format. */
  get format(): RecordFormat | null {
    return this.#format;
  }

  push(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (this.#decided) return;
      this.#take(byte);
      this.#seenBytes++;
      if (this.#seenBytes >= DETECT_BYTES_MAX) this.#decided = true;
    }
  }

  #take(byte: number): void {
    if (this.#inString) this.#takeInString(byte);
    else if (this.#isSkipped(byte)) return;
    else if (this.#depth === 0) this.#takeStart(byte);
    else if (this.#depth === 1) this.#takeTopLevel(byte);
    else this.#takeNested(byte);
  }

  /** White space, and a byte order mark where one may stand. */
  #isSkipped(byte: number): boolean {
    if (byte === NEWLINE) {
      // A record is one line: one that is still open here is none.
      if (this.#depth > 0) this.#decide(null);
      return true;
    }
    return byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN ||
      byte === BYTE_ORDER_MARK[this.#seenBytes];
  }

  #takeStart(byte: number): void {
    if (byte === OPEN_BRACE) this.#depth = 1;
    else this.#decide(null);
  }

  #takeTopLevel(byte: number): void {
    switch (this.#expected) {
      case "key":
        if (byte !== QUOTE) return this.#decide(null);
        this.#key = [];
        this.#inString = true;
        return;
      case "colon":
        if (byte !== COLON) return this.#decide(null);
        this.#expected = "value";
        return this.#judge(this.#keyText);
      case "value":
        if (byte === COMMA) this.#expected = "key";
        else if (byte === CLOSE_BRACE) this.#decide(null);
        else this.#takeNested(byte);
    }
  }

  #takeNested(byte: number): void {
    if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth--;
  }

  #takeInString(byte: number): void {
    if (byte === NEWLINE) return this.#decide(null);
    if (byte === QUOTE && !this.#escaped) return this.#endString();
    this.#escaped = byte === BACKSLASH && !this.#escaped;
    // One byte more than the bound is kept, so that a long key matches none.
    if (this.#key !== null && this.#key.length <= KEY_BYTES_MAX) {
      this.#key.push(byte);
    }
  }

  #endString(): void {
    this.#inString = false;
    if (this.#key === null) return;
    this.#keyText = keyText(this.#key);
    this.#key = null;
    this.#expected = "colon";
  }

  #judge(key: string): void {
    const format = DECISIVE_KEYS.get(key);
    if (format !== undefined) return this.#decide(format);
    if (key === "custom_id") this.#hasCustomId = true;
    if (key === "method" || key === "url") this.#hasRoute = true;
    if (this.#hasCustomId && this.#hasRoute) this.#decide("openai");
  }

  #decide(format: RecordFormat | null): void {
    this.#decided = true;
    this.#format = format;
  }
}

function keyText(bytes: readonly number[]): string {
  const text = new TextDecoder().decode(new Uint8Array(bytes));
  if (!text.includes("\\")) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}

export interface PeekedStream {
  readonly format: RecordFormat | null;
  /** The stream ended without a single byte. */
  readonly empty: boolean;
  /** Every byte of the source, untouched. */
  readonly stream: ByteStream;
}

/**
 * Reads just enough of `source` to tell its record format, and hands all its
 * bytes on: read on demand only, cancelled and errored together with the
 * source. Rejects with the source's error where it breaks before that.
 */
export async function peekFormat(source: ByteStream): Promise<PeekedStream> {
  const reader = source.getReader();
  const detector = new FormatDetector();
  const head: Uint8Array[] = [];
  while (!detector.decided) {
    const { done, value } = await reader.read();
    if (done) break;
    if (value.length === 0) continue;
    head.push(value);
    detector.push(value);
  }
  const { format } = detector;
  return { format, empty: head.length === 0, stream: resumed(head, reader) };
}

/** The chunks already read, then the rest of the reader's stream. */
function resumed(
  head: Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ByteStream {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const held = head.shift();
      if (held !== undefined) return controller.enqueue(held);
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
