import type { ByteStream } from "../../domain/bytes.ts";
import type { DriverCall, FileDraft } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import {
  pause,
  requireOk,
  withBoundedBody,
  withDeadline,
} from "../http_client.ts";
import { UpstreamError } from "../http_failure.ts";
import type { GeminiClient } from "./client.ts";
import { parseFile, type WireFile } from "./wire.ts";

/** A multiple of every granularity seen (256 KiB, 8 MiB), as the SDK uses. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const GRANULARITY_BYTES_MAX = 64 * 1024 * 1024;
const START_TIMEOUT_MS = 60_000;
const CHUNK_TIMEOUT_MS = 300_000;
const CANCEL_TIMEOUT_MS = 10_000;
const ATTEMPT_MAX = 3;
const FIRST_WAIT_MS = 250;

/**
 * Uploads `body` by Google's resumable protocol (Gemini API, "Files API",
 * `X-Goog-Upload-*`). The last chunk, which makes the file, is sent only after
 * the body has closed with exactly the announced size; on any failure the
 * session is cancelled, and no file appears.
 *
 * Throws UpstreamError, or the body's own failure as GatewayError.
 */
export async function uploadResumably(
  client: GeminiClient,
  call: DriverCall,
  draft: FileDraft,
  body: ByteStream,
): Promise<WireFile> {
  const reader = body.getReader();
  let session: UploadSession | null = null;
  try {
    session = await UploadSession.start(client, call, draft);
    return await sendChunks(session, reader, draft.sizeBytes);
  } catch (error) {
    reader.cancel(error).catch(() => {});
    await session?.cancel();
    throw error;
  }
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/** Fills one buffer again and again; it is sent when full, or at the end. */
async function sendChunks(
  session: UploadSession,
  reader: BodyReader,
  sizeBytes: number,
): Promise<WireFile> {
  const buffer = new Uint8Array(Math.min(session.chunkBytes, sizeBytes));
  let filledBytes = 0;
  let seenBytes = 0;
  for (;;) {
    const { done, value } = await readBody(reader);
    if (done) break;
    seenBytes += value.byteLength;
    if (seenBytes > sizeBytes) throw wrongSize(sizeBytes);
    let rest = value;
    while (filledBytes + rest.byteLength > buffer.byteLength) {
      const fit = rest.subarray(0, buffer.byteLength - filledBytes);
      buffer.set(fit, filledBytes);
      await session.append(buffer);
      filledBytes = 0;
      rest = rest.subarray(fit.byteLength);
    }
    buffer.set(rest, filledBytes);
    filledBytes += rest.byteLength;
  }
  if (seenBytes !== sizeBytes) throw wrongSize(sizeBytes);
  return await session.finalize(buffer.subarray(0, filledBytes));
}

async function readBody(
  reader: BodyReader,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError(
      { kind: "incomplete_body" },
      "The body ended before it was complete.",
      { cause: error },
    );
  }
}

function wrongSize(sizeBytes: number): GatewayError {
  return new GatewayError(
    { kind: "incomplete_body" },
    `The body does not have the ${sizeBytes} bytes that were announced.`,
  );
}

class UploadSession {
  readonly chunkBytes: number;
  readonly #client: GeminiClient;
  readonly #call: DriverCall;
  readonly #url: URL;
  #offsetBytes = 0;

  private constructor(
    client: GeminiClient,
    call: DriverCall,
    url: URL,
    chunkBytes: number,
  ) {
    this.#client = client;
    this.#call = call;
    this.#url = url;
    this.chunkBytes = chunkBytes;
  }

  static async start(
    client: GeminiClient,
    call: DriverCall,
    draft: FileDraft,
  ): Promise<UploadSession> {
    const sizeBytes = String(draft.sizeBytes);
    const { contentType: mimeType, fileName: displayName } = draft;
    const startUrl = client.urlOf("/upload/v1beta/files");
    const answer = await withDeadline(
      call,
      START_TIMEOUT_MS,
      (signal) =>
        client.exchange(startUrl, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": sizeBytes,
            "x-goog-upload-header-content-type": mimeType,
          },
          body: JSON.stringify({ file: { mimeType, displayName, sizeBytes } }),
          signal,
        }),
    );
    const response = await requireOk(answer);
    await response.body?.cancel();
    const location = response.headers.get("x-goog-upload-url");
    if (location === null) throw new Error("the answer names no upload URL");
    const url = new URL(location, startUrl);
    if (client.redirected) {
      // As the SDK does: a server may name itself by an address of its own.
      url.protocol = startUrl.protocol;
      url.host = startUrl.host;
      url.port = startUrl.port;
    }
    return new UploadSession(client, call, url, chunkBytesOf(response));
  }

  /** Sends a chunk that is not the last. */
  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const response = await this.#send(bytes, "upload");
    await response.body?.cancel();
    this.#offsetBytes += bytes.byteLength;
  }

  /** Sends the last chunk, which may be empty, and so makes the file. */
  async finalize(bytes: Uint8Array<ArrayBuffer>): Promise<WireFile> {
    const response = await this.#send(bytes, "upload, finalize");
    return parseFile(await withBoundedBody(response).json());
  }

  /** As well as it can be done: a session left alone dies by itself. */
  async cancel(): Promise<void> {
    try {
      const response = await this.#client.exchange(this.#url, {
        method: "POST",
        headers: { "x-goog-upload-command": "cancel" },
        signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS),
      });
      await response.body?.cancel();
    } catch {
      // Nothing more can be done, and the first failure is the one to tell.
    }
  }

  /** Repeats what got lost, after asking how much of it has arrived. */
  async #send(
    bytes: Uint8Array<ArrayBuffer>,
    command: string,
  ): Promise<Response> {
    let arrivedBytes = 0;
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#post(bytes.subarray(arrivedBytes), {
          "x-goog-upload-command": command,
          "x-goog-upload-offset": String(this.#offsetBytes + arrivedBytes),
        });
      } catch (error) {
        const { signal } = this.#call;
        if (attempt === ATTEMPT_MAX || signal.aborted || !isPassing(error)) {
          throw error;
        }
        await pause(signal, FIRST_WAIT_MS * 2 ** (attempt - 1));
        arrivedBytes = await this.#queryArrived(bytes.byteLength, error);
      }
    }
  }

  /** How much of the current chunk the server has; else throws `cause`. */
  async #queryArrived(chunkBytes: number, cause: unknown): Promise<number> {
    const response = await this.#post(new Uint8Array(0), {
      "x-goog-upload-command": "query",
    });
    await response.body?.cancel();
    const text = response.headers.get("x-goog-upload-size-received") ?? "";
    const arrived = Number(text) - this.#offsetBytes;
    const active = response.headers.get("x-goog-upload-status") === "active";
    if (active && text !== "" && arrived >= 0 && arrived <= chunkBytes) {
      return arrived;
    }
    throw cause;
  }

  async #post(
    body: Uint8Array<ArrayBuffer>,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const answer = await withDeadline(
      this.#call,
      CHUNK_TIMEOUT_MS,
      (signal) =>
        this.#client.exchange(this.#url, {
          method: "POST",
          headers,
          body,
          signal,
        }),
    );
    return await requireOk(answer);
  }
}

/** Chunks that are not the last must be multiples of the granularity. */
function chunkBytesOf(response: Response): number {
  const granularity = Number(
    response.headers.get("x-goog-upload-chunk-granularity") ?? "",
  );
  const known = Number.isInteger(granularity) && granularity > 0 &&
    granularity <= GRANULARITY_BYTES_MAX;
  if (!known) return CHUNK_BYTES;
  return Math.max(1, Math.floor(CHUNK_BYTES / granularity)) * granularity;
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false;
  const { fault } = error;
  return fault.kind === "connection" ||
    (fault.kind === "answer" && fault.answer.status >= 500);
}
