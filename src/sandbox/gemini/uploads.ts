import { z } from "zod";
import { BufferedFile } from "../jsonl.ts";
import { type DataFolder, DIGITS, LETTERS, randomId } from "../simulator.ts";
import { readJson } from "./body.ts";
import { GoogleError } from "./error.ts";
import type { GeminiFiles } from "./files.ts";

/** Gemini API, Files: "each file can be up to 2 GB". */
const FILE_BYTES_MAX = 2 * 1024 * 1024 * 1024;
/** Every chunk but the last is a multiple of this. */
export const CHUNK_GRANULARITY_BYTES = 256 * 1024;
const START_BODY_BYTES_MAX = 64 * 1024;
const SESSIONS_MAX = 10_000;

const startSchema = z.object({
  file: z.object({
    name: z.string().regex(
      /^files\/[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
      "The file name must be files/ and up to 40 of a-z, 0-9 and -.",
    ).optional(),
    displayName: z.string().max(512).optional(),
    mimeType: z.string().optional(),
  }).optional(),
});

interface Session {
  readonly uploadId: string;
  readonly fileId: string;
  readonly displayName: string | null;
  readonly mimeType: string;
  /** Null where the client did not say. */
  readonly declaredBytes: number | null;
  receivedBytes: number;
  status: "active" | "final" | "cancelled";
}

/** The resumable upload protocol (X-Goog-Upload-* headers). */
export class GeminiUploads {
  readonly #folder: DataFolder;
  readonly #files: GeminiFiles;
  readonly #sessions = new Map<string, Session>();

  constructor(folder: DataFolder, files: GeminiFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  /** Whether a call goes to a session, whose URL alone is its permission. */
  isSessionCall(request: Request): boolean {
    return new URL(request.url).searchParams.has("upload_id");
  }

  async handle(request: Request): Promise<Response> {
    const { searchParams, origin } = new URL(request.url);
    const uploadId = searchParams.get("upload_id");
    const commands = (request.headers.get("x-goog-upload-command") ?? "")
      .split(",").map((command) => command.trim());
    if (uploadId === null) {
      if (commands.join() !== "start") throw badCommand(commands);
      return await this.#start(request, origin);
    }
    const session = this.#sessions.get(uploadId);
    if (session === undefined) {
      throw new GoogleError("NOT_FOUND", "Upload session not found.");
    }
    return await this.#continue(request, session, commands, origin);
  }

  async #start(request: Request, origin: string): Promise<Response> {
    const { headers } = request;
    if (headers.get("x-goog-upload-protocol") !== "resumable") {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        "The sandbox takes only the resumable upload protocol.",
      );
    }
    const body = await readJson(request, START_BODY_BYTES_MAX);
    const parsed = startSchema.safeParse(body);
    if (!parsed.success) {
      throw new GoogleError("INVALID_ARGUMENT", parsed.error.message);
    }
    const session = this.#open(headers, parsed.data.file ?? {});
    (await this.#folder.create(session.uploadId)).close();
    this.#sessions.set(session.uploadId, session);
    const url = `${origin}/upload/v1beta/files?upload_id=${session.uploadId}` +
      "&upload_protocol=resumable";
    return new Response(null, {
      headers: {
        "x-goog-upload-status": "active",
        "x-goog-upload-url": url,
        "x-goog-upload-control-url": url,
        "x-goog-upload-chunk-granularity": String(CHUNK_GRANULARITY_BYTES),
        "x-guploader-uploadid": session.uploadId,
      },
    });
  }

  #open(
    headers: Headers,
    file: NonNullable<z.infer<typeof startSchema>["file"]>,
  ): Session {
    const fileId = file.name?.slice("files/".length) ??
      randomId(12, LETTERS + DIGITS);
    if (this.#files.find(fileId) !== null) {
      throw new GoogleError(
        "ALREADY_EXISTS",
        "Requested entity already exists",
      );
    }
    const mimeType = file.mimeType ??
      headers.get("x-goog-upload-header-content-type");
    if (mimeType === null) {
      throw new GoogleError("INVALID_ARGUMENT", "The MIME type is missing.");
    }
    if (this.#sessions.size >= SESSIONS_MAX) {
      throw new GoogleError("RESOURCE_EXHAUSTED", "Too many uploads.");
    }
    return {
      uploadId: randomId(60, LETTERS.toUpperCase() + DIGITS),
      fileId,
      displayName: file.displayName ?? null,
      mimeType,
      declaredBytes: declaredBytesOf(headers),
      receivedBytes: 0,
      status: "active",
    };
  }

  async #continue(
    request: Request,
    session: Session,
    commands: readonly string[],
    origin: string,
  ): Promise<Response> {
    switch (commands.join()) {
      case "query":
        return statusResponse(session);
      case "cancel":
        session.status = "cancelled";
        await this.#folder.remove(session.uploadId);
        return statusResponse(session);
      case "upload":
        await this.#receive(request, session);
        return statusResponse(session);
      case "upload,finalize":
        await this.#receive(request, session, "last");
        return await this.#finalize(session, origin);
      case "finalize":
        return await this.#finalize(session, origin);
      default:
        throw badCommand(commands);
    }
  }

  /** Takes one chunk; of a chunk that breaks off, only whole units stay. */
  async #receive(
    request: Request,
    session: Session,
    place: "inner" | "last" = "inner",
  ): Promise<void> {
    const start = session.receivedBytes;
    const offset = Number(request.headers.get("x-goog-upload-offset"));
    if (session.status !== "active" || offset !== start) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        `The upload is ${session.status} and has ${start} bytes, the chunk ` +
          `starts at ${offset}.`,
      );
    }
    const path = this.#folder.pathOf(session.uploadId);
    using file = await Deno.open(path, { write: true });
    await file.seek(start, Deno.SeekMode.Start);
    const writer = new BufferedFile(file);
    try {
      const bytesMax = session.declaredBytes ?? FILE_BYTES_MAX;
      for await (const bytes of request.body ?? []) {
        session.receivedBytes += bytes.length;
        if (session.receivedBytes > bytesMax) throw tooLong(bytesMax);
        await writer.write(bytes);
      }
      await writer.flush();
    } catch (error) {
      await writer.flush();
      session.receivedBytes = error instanceof GoogleError
        ? start
        : session.receivedBytes -
          session.receivedBytes % CHUNK_GRANULARITY_BYTES;
      await file.truncate(session.receivedBytes);
      if (error instanceof GoogleError) throw error;
      throw new GoogleError("INVALID_ARGUMENT", "The chunk broke off.");
    }
    if (place === "last") return;
    if (session.receivedBytes % CHUNK_GRANULARITY_BYTES === 0) return;
    session.receivedBytes = start;
    await file.truncate(start);
    throw new GoogleError(
      "INVALID_ARGUMENT",
      `Chunks must be multiples of ${CHUNK_GRANULARITY_BYTES} bytes.`,
    );
  }

  async #finalize(session: Session, origin: string): Promise<Response> {
    const { declaredBytes, receivedBytes, uploadId, fileId } = session;
    if (session.status !== "active") {
      throw new GoogleError("INVALID_ARGUMENT", "The upload has ended.");
    }
    if (declaredBytes !== null && declaredBytes !== receivedBytes) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        `The upload has ${receivedBytes} bytes where ${declaredBytes} were ` +
          "announced.",
      );
    }
    session.status = "final";
    const from = this.#folder.pathOf(uploadId);
    await Deno.rename(from, this.#files.pathOf(fileId));
    this.#sessions.delete(uploadId);
    const { displayName, mimeType } = session;
    const file = await this.#files.add({
      id: fileId,
      displayName,
      mimeType,
      source: "UPLOADED",
    });
    return Response.json({ file: this.#files.wire(file, origin) }, {
      headers: { "x-goog-upload-status": "final" },
    });
  }
}

function declaredBytesOf(headers: Headers): number | null {
  const text = headers.get("x-goog-upload-header-content-length");
  if (text === null) return null;
  const declaredBytes = Number(text);
  if (!Number.isSafeInteger(declaredBytes) || declaredBytes < 0) {
    throw new GoogleError(
      "INVALID_ARGUMENT",
      "X-Goog-Upload-Header-Content-Length is not a length.",
    );
  }
  if (declaredBytes > FILE_BYTES_MAX) throw tooLong(FILE_BYTES_MAX);
  return declaredBytes;
}

function statusResponse(session: Session): Response {
  return new Response(null, {
    headers: {
      "x-goog-upload-status": session.status,
      "x-goog-upload-size-received": String(session.receivedBytes),
    },
  });
}

function tooLong(bytesMax: number): GoogleError {
  return new GoogleError(
    "INVALID_ARGUMENT",
    `The file is larger than the ${bytesMax} bytes that are allowed.`,
  );
}

function badCommand(commands: readonly string[]): GoogleError {
  return new GoogleError(
    "INVALID_ARGUMENT",
    `Invalid upload command: ${commands.join(", ")}`,
  );
}
