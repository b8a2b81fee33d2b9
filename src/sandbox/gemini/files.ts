import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { DataFolder } from "../simulator.ts";
import { GoogleError } from "./error.ts";
import { type Listed, pageOf } from "./list.ts";

/** Gemini API, Files: files are kept for 48 hours. */
const LIFE_MS = 48 * 3600 * 1000;
const PAGE_SIZE = { default: 10, max: 100 };

export interface GeminiFile extends Listed {
  readonly id: string;
  readonly displayName: string | null;
  readonly mimeType: string;
  readonly sizeBytes: number;
  readonly sha256Hex: string;
  readonly createdAtMs: number;
  readonly source: "UPLOADED" | "GENERATED";
}

/** The files of the simulated project. */
export class GeminiFiles {
  readonly #folder: DataFolder;
  readonly #processingMs: number;
  /** In order of creation. */
  readonly #files = new Map<string, GeminiFile>();
  #sequence = 0;

  /** @param processingMs How long an uploaded file stays in PROCESSING. */
  constructor(folder: DataFolder, processingMs: number) {
    this.#folder = folder;
    this.#processingMs = processingMs;
  }

  /** Registers the bytes that lie at `pathOf(id)`. */
  async add(
    file: Pick<GeminiFile, "id" | "displayName" | "mimeType" | "source">,
  ): Promise<GeminiFile> {
    const path = this.pathOf(file.id);
    const { size } = await Deno.stat(path);
    const added = {
      ...file,
      sizeBytes: size,
      sha256Hex: await sha256Of(path),
      createdAtMs: Date.now(),
      sequence: ++this.#sequence,
    };
    this.#files.set(file.id, added);
    return added;
  }

  find(id: string): GeminiFile | null {
    const file = this.#files.get(id);
    const isThere = file !== undefined &&
      file.createdAtMs + LIFE_MS > Date.now();
    return isThere ? file : null;
  }

  /** @throws {GoogleError} PERMISSION_DENIED, as the API says "not found". */
  get(id: string): GeminiFile {
    const file = this.find(id);
    if (file !== null) return file;
    throw new GoogleError(
      "PERMISSION_DENIED",
      `You do not have permission to access the File ${id} or it may not exist.`,
    );
  }

  isActive(file: GeminiFile): boolean {
    return file.source === "GENERATED" ||
      file.createdAtMs + this.#processingMs <= Date.now();
  }

  pathOf(id: string): string {
    return this.#folder.pathOf(id);
  }

  /** GET /files, newest first. */
  list(query: URLSearchParams, origin: string): Response {
    const files = [...this.#files.values()].reverse().filter((file) =>
      this.find(file.id) !== null
    );
    const { items, nextPageToken } = pageOf(files, query, PAGE_SIZE);
    return Response.json({
      // Proto JSON leaves empty lists out.
      ...(items.length === 0
        ? {}
        : { files: items.map((file) => this.wire(file, origin)) }),
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
  }

  async delete(id: string): Promise<Response> {
    this.get(id);
    this.#files.delete(id);
    await this.#folder.remove(id);
    return Response.json({});
  }

  /** Only what the service itself made is handed back. */
  async download(id: string, query: URLSearchParams): Promise<Response> {
    const file = this.get(id);
    if (file.source !== "GENERATED") {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        "Only generated files can be downloaded.",
      );
    }
    if (query.get("alt") !== "media") {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        "Downloading a file needs the parameter alt=media.",
      );
    }
    const { readable } = await Deno.open(this.pathOf(id));
    return new Response(readable, {
      headers: {
        "content-type": file.mimeType,
        "content-length": String(file.sizeBytes),
      },
    });
  }

  /** The File resource; times have microseconds and sizes are strings. */
  wire(file: GeminiFile, origin: string): unknown {
    const { id, displayName } = file;
    const createTime = timestamp(file.createdAtMs);
    return {
      name: `files/${id}`,
      ...(displayName === null ? {} : { displayName }),
      mimeType: file.mimeType,
      sizeBytes: String(file.sizeBytes),
      createTime,
      updateTime: createTime,
      expirationTime: timestamp(file.createdAtMs + LIFE_MS),
      // Base64 of the digest's hexadecimal text, as the service has it.
      sha256Hash: Buffer.from(file.sha256Hex).toString("base64"),
      uri: `${origin}/v1beta/files/${id}`,
      ...(file.source === "GENERATED"
        ? { downloadUri: `${origin}/v1beta/files/${id}:download?alt=media` }
        : {}),
      state: this.isActive(file) ? "ACTIVE" : "PROCESSING",
      source: file.source,
    };
  }
}

export function timestamp(atMs: number): string {
  return new Date(atMs).toISOString().replace("Z", "000Z");
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  const { readable } = await Deno.open(path);
  for await (const chunk of readable) hash.update(chunk);
  return hash.digest("hex");
}
