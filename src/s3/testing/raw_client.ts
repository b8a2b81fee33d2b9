/** One HTTP/1.1 answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** Whether as many bytes came as Content-Length promised. */
  readonly complete: boolean;
}

/**
 * Sends bytes that no client library would send and reads the answer, up to
 * the end of its body or of the connection.
 */
export async function sendRaw(
  port: number,
  request: string | Uint8Array,
): Promise<RawAnswer> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const writer = connection.writable.getWriter();
  const bytes = typeof request === "string"
    ? new TextEncoder().encode(request)
    : request;
  // A server that answers early may close before all of it is written.
  writer.write(bytes).catch(() => {});
  return await readAnswer(connection.readable, isHead(bytes));
}

function isHead(request: Uint8Array): "head" | "other" {
  const start = new TextDecoder().decode(request.subarray(0, 5));
  return start === "HEAD " ? "head" : "other";
}

async function readAnswer(
  readable: ReadableStream<Uint8Array>,
  method: "head" | "other",
): Promise<RawAnswer> {
  const decoder = new TextDecoder("latin1");
  const reader = readable.getReader();
  let text = "";
  for (;;) {
    const answer = parseAnswer(text, method);
    if (answer?.complete) return answer;
    const { done, value } = await reader.read().catch(() => ({
      done: true,
      value: undefined,
    }));
    if (value !== undefined) text += decoder.decode(value, { stream: true });
    if (done) {
      if (answer !== null) return answer;
      throw new Error(`The connection ended in: ${JSON.stringify(text)}`);
    }
  }
}

function parseAnswer(text: string, method: "head" | "other"): RawAnswer | null {
  const start = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "");
  const end = start.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [statusLine = "", ...lines] = start.slice(0, end).split("\r\n");
  const headers = new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  const status = Number(statusLine.split(" ")[1]);
  const body = start.slice(end + 4);
  const promised = Number(headers.get("content-length") ?? "Infinity");
  const bodiless = method === "head" || status === 204 || status === 304;
  return {
    status,
    headers,
    body,
    complete: bodiless || body.length >= promised,
  };
}
