import { type Connection, ConnectionError } from "./connection.ts";
import { type AnswerHead, readLine } from "./head.ts";

/** Trailers after a chunked body; none of S3's answers has any. */
const TRAILERS_MAX = 100;

/**
 * The body of an answer in pieces, by the framing that its head names (RFC
 * 9112, section 6). Rejects with ConnectionError where it ends early.
 */
export function readBody(
  connection: Connection,
  method: string,
  head: AnswerHead,
): AsyncGenerator<Uint8Array, void, void> {
  const { status, headers } = head;
  if (method === "HEAD" || status === 204 || status === 304) {
    return ofLength(connection, 0);
  }
  if (headers["transfer-encoding"] !== undefined) return ofChunks(connection);
  const length = headers["content-length"];
  if (length === undefined) return untilEnd(connection);
  return ofLength(connection, parseLength(length));
}

/** Whether a body of this framing leaves the connection usable. */
export function isDelimited(method: string, head: AnswerHead): boolean {
  return method === "HEAD" || head.status === 204 || head.status === 304 ||
    head.headers["transfer-encoding"] !== undefined ||
    head.headers["content-length"] !== undefined;
}

function parseLength(text: string): number {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(length)) throw new ConnectionError("a length is no number");
  return length;
}

async function* ofLength(
  connection: Connection,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let leftBytes = sizeBytes;
  while (leftBytes > 0) {
    const bytes = await readPiece(connection, leftBytes);
    leftBytes -= bytes.length;
    yield bytes;
  }
}

async function* ofChunks(
  connection: Connection,
): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const [size = ""] = (await readLine(connection)).split(";");
    if (!/^[0-9a-f]{1,12}\s*$/i.test(size)) {
      throw new ConnectionError("a chunk has no size");
    }
    const sizeBytes = parseInt(size, 16);
    if (sizeBytes === 0) break;
    yield* ofLength(connection, sizeBytes);
    if (await readLine(connection) !== "") {
      throw new ConnectionError("a chunk is longer than its size");
    }
  }
  for (let count = 0; await readLine(connection) !== ""; count++) {
    if (count > TRAILERS_MAX) throw new ConnectionError("too many trailers");
  }
}

async function* untilEnd(
  connection: Connection,
): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const bytes = await connection.read();
    if (bytes === null) return;
    yield bytes;
  }
}

/** Between one byte and `bytesMax`; what came beyond is left for later. */
async function readPiece(
  connection: Connection,
  bytesMax: number,
): Promise<Uint8Array> {
  const bytes = await connection.read();
  if (bytes === null) throw new ConnectionError("the answer ended early");
  if (bytes.length <= bytesMax) return bytes;
  connection.unread(bytes.subarray(bytesMax));
  return bytes.subarray(0, bytesMax);
}
