import { Buffer } from "node:buffer";
import { LINE_BYTES_MAX } from "../jsonl.ts";
import { AnthropicError } from "./error.ts";

const NAME_BYTES_MAX = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Cuts the elements of the outermost `requests` list out of a JSON document
 * that arrives in pieces, since a batch of 256 MB is one document and must not
 * be held whole. What lies inside the elements is left to `JSON.parse`.
 */
export class RequestScanner {
  #depth = 0;
  #place: "before" | "inside" | "after" = "before";
  #isInString = false;
  #isEscaped = false;
  /** The string read last at depth 1: a member's name, when a colon follows. */
  #text: number[] = [];
  #memberName = "";
  #isInRequests = false;
  #wasRequestsSeen = false;
  #pieces: Buffer[] = [];
  #piecesBytes = 0;

  /** The elements that end in this piece of the document. */
  *push(bytes: Uint8Array): Generator<unknown> {
    /** Where the running element starts in `bytes`; -1 outside elements. */
    let start = this.#piecesBytes > 0 ? 0 : -1;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#isInString) {
        this.#stepInString(byte);
        continue;
      }
      const isElementEnd = this.#isInRequests && this.#depth === 2 &&
        (byte === COMMA || byte === CLOSE_BRACKET);
      if (isElementEnd) {
        const isEmptyList = start < 0 && byte === CLOSE_BRACKET;
        if (!isEmptyList) {
          this.#keep(bytes.subarray(Math.max(start, 0), at));
          yield this.#take();
        }
        start = -1;
      } else if (
        this.#isInRequests && this.#depth >= 2 && start < 0 && !isSpace(byte)
      ) start = at;
      this.#step(byte);
    }
    if (start >= 0) this.#keep(bytes.subarray(start));
  }

  /** @throws {AnthropicError} where the document is not complete. */
  end(): void {
    if (this.#place !== "after") throw unparsable();
    if (!this.#wasRequestsSeen) {
      throw new AnthropicError(
        "invalid_request_error",
        "requests: Field required",
      );
    }
  }

  #stepInString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#isInString = false;
      return;
    }
    if (this.#depth === 1 && this.#text.length < NAME_BYTES_MAX) {
      this.#text.push(byte);
    }
  }

  #step(byte: number): void {
    if (isSpace(byte)) return;
    const isStart = byte === OPEN_BRACE && this.#place === "before";
    if (this.#place !== "inside" && !isStart) throw unparsable();
    switch (byte) {
      case QUOTE:
        this.#isInString = true;
        if (this.#depth === 1) this.#text = [];
        return;
      case COLON:
        if (this.#depth === 1) this.#nameMember();
        return;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#place = "inside";
        this.#depth += 1;
        if (byte === OPEN_BRACE || this.#depth !== 2) return;
        this.#isInRequests = this.#memberName === "requests";
        this.#wasRequestsSeen ||= this.#isInRequests;
        return;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#depth -= 1;
        if (this.#depth === 1) this.#isInRequests = false;
        if (this.#depth === 0) this.#place = "after";
    }
  }

  #nameMember(): void {
    this.#memberName = Buffer.from(this.#text).toString("utf8");
    if (
      ["requests", "user_profile_id", "workspace_id"].includes(
        this.#memberName,
      )
    ) return;
    throw new AnthropicError(
      "invalid_request_error",
      `${this.#memberName}: Extra inputs are not permitted`,
    );
  }

  /** Pieces are kept as copies: the document's memory is used again. */
  #keep(piece: Uint8Array): void {
    this.#piecesBytes += piece.length;
    if (this.#piecesBytes > LINE_BYTES_MAX) throw unparsable();
    this.#pieces.push(Buffer.from(piece));
  }

  #take(): unknown {
    const text = Buffer.concat(this.#pieces).toString("utf8");
    this.#pieces = [];
    this.#piecesBytes = 0;
    try {
      return JSON.parse(text);
    } catch {
      throw unparsable();
    }
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function unparsable(): AnthropicError {
  return new AnthropicError(
    "invalid_request_error",
    "The request body is not valid JSON.",
  );
}
