import { Buffer } from "node:buffer";

const PART_HEADER_BYTES_MAX = 16 * 1024;
const PARTS_MAX = 100;

/** Says why a multipart body cannot be read; RFC 7578, RFC 2046 5.1. */
export class MultipartError extends Error {
  override readonly name = "MultipartError";
}

export interface MultipartPart {
  readonly name: string;
  /** Null for a plain form field. */
  readonly fileName: string | null;
}

/** Takes one part's content as it arrives. */
export type PartWriter = (bytes: Uint8Array) => Promise<void>;

/** The boundary of a multipart/form-data content type; null for any other. */
export function boundaryOf(contentType: string | null): string | null {
  const match = /^multipart\/form-data\s*;.*\bboundary=(?:"([^"]+)"|([^;\s]+))/i
    .exec(contentType ?? "");
  return match?.[1] ?? match?.[2] ?? null;
}

/**
 * Reads a form whose parts may come in any order and any size, handing each
 * part's bytes on as they arrive.
 *
 * @throws {MultipartError} where the body is broken or ends early.
 */
export async function readMultipart(
  body: ReadableStream<Uint8Array>,
  boundary: string,
  openPart: (part: MultipartPart) => PartWriter,
): Promise<void> {
  const input = new Input(body);
  try {
    const delimiter = Buffer.from(`\r\n--${boundary}`);
    // What stands before the first delimiter is a preamble, to be ignored.
    await input.copyUntil(delimiter, () => Promise.resolve());
    for (let count = 0; count <= PARTS_MAX; count++) {
      const mark = await input.take(2);
      if (mark === "--") return await input.drain();
      if (mark !== "\r\n") throw new MultipartError("Broken boundary line.");
      const part = parsePartHeaders(await input.takePartHeaders());
      await input.copyUntil(delimiter, openPart(part));
    }
    throw new MultipartError(`The form has more than ${PARTS_MAX} parts.`);
  } finally {
    await input.release();
  }
}

function parsePartHeaders(text: string): MultipartPart {
  const disposition = /^content-disposition:\s*form-data(.*)$/im.exec(text);
  const parameters = disposition?.[1] ?? "";
  const name = parameterOf(parameters, "name");
  if (name === null) throw new MultipartError("A part of the form is unnamed.");
  return { name, fileName: parameterOf(parameters, "filename") };
}

/** Browsers and undici write a quote as %22, others with a backslash. */
function parameterOf(text: string, name: string): string | null {
  const pattern = new RegExp(
    `;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`,
  );
  const match = pattern.exec(text);
  if (match === null) return null;
  const quoted = match[1]?.replace(/\\(.)/g, "$1").replaceAll("%22", '"');
  return quoted ?? match[2] ?? null;
}

/** The unread bytes of a body. */
class Input {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Starts with a line break, so that the first delimiter is like the rest. */
  #buffer: Buffer = Buffer.from("\r\n");

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
  }

  async copyUntil(delimiter: Buffer, write: PartWriter): Promise<void> {
    for (;;) {
      const found = this.#buffer.indexOf(delimiter);
      // The tail may be the start of a delimiter that is not all here yet.
      const end = found >= 0
        ? found
        : Math.max(0, this.#buffer.length - delimiter.length + 1);
      if (end > 0) await write(this.#buffer.subarray(0, end));
      if (found >= 0) {
        this.#buffer = this.#buffer.subarray(end + delimiter.length);
        return;
      }
      this.#buffer = this.#buffer.subarray(end);
      await this.#fill();
    }
  }

  async take(count: number): Promise<string> {
    while (this.#buffer.length < count) await this.#fill();
    const text = this.#buffer.subarray(0, count).toString("latin1");
    this.#buffer = this.#buffer.subarray(count);
    return text;
  }

  async takePartHeaders(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end >= 0) {
        const text = this.#buffer.subarray(0, end).toString("utf8");
        this.#buffer = this.#buffer.subarray(end + 4);
        return text;
      }
      if (this.#buffer.length > PART_HEADER_BYTES_MAX) {
        throw new MultipartError("A part's headers are too long.");
      }
      await this.#fill();
    }
  }

  /** A server that answers before it has read all would cut the connection. */
  async drain(): Promise<void> {
    let lengthBytes = 0;
    for (;;) {
      const bytes = await this.#read();
      if (bytes === null) return;
      lengthBytes += bytes.length;
      if (lengthBytes > PART_HEADER_BYTES_MAX) {
        throw new MultipartError("Data follows the end of the form.");
      }
    }
  }

  async release(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    this.#reader.releaseLock();
  }

  async #fill(): Promise<void> {
    const bytes = await this.#read();
    if (bytes === null) throw new MultipartError("The form ends early.");
    this.#buffer = this.#buffer.length === 0
      ? Buffer.from(bytes)
      : Buffer.concat([this.#buffer, bytes]);
  }

  async #read(): Promise<Uint8Array | null> {
    try {
      return (await this.#reader.read()).value ?? null;
    } catch (cause) {
      throw new MultipartError("The connection was lost.", { cause });
    }
  }
}
