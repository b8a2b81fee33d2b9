import { UpstreamError } from "../http_failure.ts";

/** Answers to an upload are one small JSON object. */
const ANSWER_BYTES_MAX = 1024 * 1024;
const READ_BYTES = 16 * 1024;
const HEAD_END = "\r\n\r\n";
/** Statuses whose answers have no body (RFC 9112, section 6.3). */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/**
 * Reads one HTTP/1.1 answer (RFC 9112) whole. Rejects with UpstreamError where
 * the connection ends before the answer does, or the answer is too large.
 */
export async function readHttpAnswer(
  connection: Pick<Deno.Conn, "read">,
): Promise<Response> {
  const received = new Uint8Array(ANSWER_BYTES_MAX);
  let length = 0;
  for (;;) {
    const count = await connection.read(
      received.subarray(length, length + READ_BYTES),
    );
    length += count ?? 0;
    const answer = parseHttpAnswer(received.subarray(0, length), {
      ended: count === null,
    });
    if (answer !== null) return answer;
    if (count === null) throw new UpstreamError({ kind: "connection" });
    if (length === ANSWER_BYTES_MAX) {
      throw new UpstreamError({ kind: "oversize", bytesMax: ANSWER_BYTES_MAX });
    }
  }
}

/** Null where the answer is not complete yet. */
export function parseHttpAnswer(
  bytes: Uint8Array,
  connection: { readonly ended: boolean },
): Response | null {
  // Latin-1 keeps one character a byte, so that indexes are byte offsets.
  const text = new TextDecoder("latin1").decode(bytes);
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const bodyStart = headEnd + HEAD_END.length;
  const [statusLine, ...fields] = text.slice(0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(statusLine ?? "")?.[1]);
  if (Number.isNaN(status)) throw new UpstreamError({ kind: "connection" });
  if (status < 200) {
    return parseHttpAnswer(bytes.subarray(bodyStart), connection);
  }
  const headers = toHeaders(fields);
  if (BODILESS.has(status)) return new Response(null, { status, headers });
  const body = bodyOf(bytes.slice(bodyStart), headers, connection);
  return body === null ? null : new Response(body, { status, headers });
}

function toHeaders(fields: readonly string[]): Headers {
  const headers = new Headers();
  for (const field of fields) {
    const colon = field.indexOf(":");
    if (colon > 0) {
      headers.append(field.slice(0, colon), field.slice(colon + 1).trim());
    }
  }
  return headers;
}

function bodyOf(
  bytes: Uint8Array<ArrayBuffer>,
  headers: Headers,
  connection: { readonly ended: boolean },
): Uint8Array<ArrayBuffer> | null {
  if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) {
    return joinChunks(bytes);
  }
  const lengthText = headers.get("content-length");
  if (lengthText === null) return connection.ended ? bytes : null;
  const length = Number(lengthText);
  return bytes.byteLength >= length ? bytes.subarray(0, length) : null;
}

/** Null where the last chunk is not there yet. */
function joinChunks(
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | null {
  const text = new TextDecoder("latin1").decode(bytes);
  const joined = new Uint8Array(bytes.byteLength);
  let joinedLength = 0;
  let offset = 0;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", offset);
    if (lineEnd < 0) return null;
    const size = parseInt(text.slice(offset, lineEnd), 16);
    if (Number.isNaN(size)) throw new UpstreamError({ kind: "connection" });
    if (size === 0) return joined.subarray(0, joinedLength);
    const start = lineEnd + 2;
    if (start + size + 2 > bytes.byteLength) return null;
    joined.set(bytes.subarray(start, start + size), joinedLength);
    joinedLength += size;
    offset = start + size + 2;
  }
}
