import type { ByteStream } from "../../domain/bytes.ts";
import { GatewayError } from "../../domain/failure.ts";

/** A form with one streamed file (RFC 7578), of a length known beforehand. */
export interface MultipartForm {
  readonly contentType: string;
  /** Of the whole form; what Content-Length says. */
  readonly sizeBytes: number;
  readonly stream: ByteStream;
  /** Why the file's own body ended badly; null where it did not. */
  failure(): GatewayError | null;
}

export interface MultipartFile {
  readonly fileName: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly body: ByteStream;
}

/**
 * Builds the form. Its closing boundary, without which no server takes the
 * form for complete, follows only when the file's body has closed after
 * exactly `sizeBytes`; a body that errors, or is longer or shorter, makes the
 * stream error.
 */
export function multipartForm(
  fields: Readonly<Record<string, string>>,
  file: MultipartFile,
): MultipartForm {
  const boundary = `finops-${crypto.randomUUID()}`;
  const encoder = new TextEncoder();
  const head = encoder.encode(formHead(boundary, fields, file));
  const tail = encoder.encode(`\r\n--${boundary}--\r\n`);
  const reader = file.body.getReader();
  let seenBytes = 0;
  let failure: GatewayError | null = null;

  async function pull(controller: FormController): Promise<void> {
    const { done, value } = await reader.read();
    seenBytes += value?.byteLength ?? 0;
    if (seenBytes > file.sizeBytes || (done && seenBytes < file.sizeBytes)) {
      throw wrongSize(file.sizeBytes);
    }
    controller.enqueue(done ? tail : value);
    if (done) controller.close();
  }

  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(head),
    async pull(controller): Promise<void> {
      try {
        await pull(controller);
      } catch (error) {
        failure = toBodyFailure(error);
        reader.cancel(failure).catch(() => {});
        controller.error(failure);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });

  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes: head.byteLength + file.sizeBytes + tail.byteLength,
    stream,
    failure: () => failure,
  };
}

type FormController = ReadableStreamDefaultController<Uint8Array>;

function formHead(
  boundary: string,
  fields: Readonly<Record<string, string>>,
  file: MultipartFile,
): string {
  const lines = Object.entries(fields).flatMap(([name, value]) => [
    `--${boundary}`,
    `content-disposition: form-data; name="${escapeName(name)}"`,
    "",
    value,
  ]);
  lines.push(
    `--${boundary}`,
    `content-disposition: form-data; name="file"; ` +
      `filename="${escapeName(file.fileName)}"`,
    `content-type: ${file.contentType.replace(/[\r\n]/g, " ")}`,
    "",
    "",
  );
  return lines.join("\r\n");
}

/** As browsers do: HTML Standard, multipart/form-data encoding algorithm. */
function escapeName(name: string): string {
  return name
    .replaceAll("\r", "%0D")
    .replaceAll("\n", "%0A")
    .replaceAll('"', "%22");
}

function wrongSize(sizeBytes: number): GatewayError {
  return new GatewayError(
    { kind: "incomplete_body" },
    `The body does not have the ${sizeBytes} bytes that were announced.`,
  );
}

function toBodyFailure(error: unknown): GatewayError {
  return error instanceof GatewayError ? error : new GatewayError(
    { kind: "incomplete_body" },
    "The body ended before it was complete.",
    { cause: error },
  );
}
