import { type Connection, ConnectionError } from "./connection.ts";

/** Start line and headers of an answer; names in lower case. */
export interface AnswerHead {
  readonly status: number;
  /** One character a byte; repeated headers are joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the connection may be used again after this answer. */
  readonly keepsAlive: boolean;
}

/** S3 sends 8 KiB at most; other servers may have their reasons. */
const HEAD_BYTES_MAX = 64 * 1024;
const LINE_BYTES_MAX = 8 * 1024;

/**
 * Writes a request's head as RFC 9112 has it. Header values are bytes, one
 * character each.
 *
 * @throws {TypeError} where a part would not end where it should.
 */
export function formatHead(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
): Uint8Array {
  if (!/^[\x21-\x7e]+$/.test(target)) {
    throw new TypeError("a request target has to be encoded");
  }
  const lines = [`${method} ${target} HTTP/1.1`];
  for (const [name, value] of Object.entries(headers)) {
    if (
      !/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[\r\n\0]|[^\0-\xff]/.test(value)
    ) {
      throw new TypeError(`the header ${name} cannot be sent`);
    }
    lines.push(`${name}: ${value}`);
  }
  return encodeBytes(`${lines.join("\r\n")}\r\n\r\n`);
}

/** The next head on the connection. */
export async function readHead(connection: Connection): Promise<AnswerHead> {
  const lines: string[] = [];
  let leftBytes = HEAD_BYTES_MAX;
  for (;;) {
    const line = await readLine(connection, leftBytes);
    leftBytes -= line.length + 2;
    if (line === "") break;
    lines.push(line);
  }
  const [start = "", ...fields] = lines;
  const match = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/.exec(start);
  if (match === null) throw new ConnectionError("the answer is no HTTP/1");
  const headers = parseFields(fields);
  const tokens = (headers["connection"] ?? "").toLowerCase();
  return {
    status: Number(match[2]),
    headers,
    keepsAlive: match[1] === "1"
      ? !tokens.includes("close")
      : tokens.includes("keep-alive"),
  };
}

/** The next line, without its end. */
export async function readLine(
  connection: Connection,
  bytesMax = LINE_BYTES_MAX,
): Promise<string> {
  let line = "";
  for (;;) {
    const bytes = await connection.read();
    if (bytes === null) {
      throw new ConnectionError("the connection was closed before an answer");
    }
    const end = bytes.indexOf(10);
    line += decodeBytes(end < 0 ? bytes : bytes.subarray(0, end));
    if (line.length > bytesMax) throw new ConnectionError("a line is too long");
    if (end < 0) continue;
    connection.unread(bytes.subarray(end + 1));
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }
}

function parseFields(fields: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>();
  for (const field of fields) {
    const colon = field.indexOf(":");
    if (colon < 1) throw new ConnectionError("a header has no name");
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return Object.fromEntries(headers);
}

function encodeBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function decodeBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
