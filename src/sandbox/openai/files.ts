import type { DataFolder } from "../simulator.ts";
import { OpenAiError } from "./error.ts";
import { limitOf, listPage } from "./list.ts";
import { boundaryOf, MultipartError, readMultipart } from "./multipart.ts";
import { nowSeconds, type OpenAiFile, UploadForm } from "./upload_form.ts";

/** OpenAI API Reference, Files: "Individual files can be up to 512 MB". */
export const FILE_BYTES_MAX = 512 * 1024 * 1024;
const LIST_LIMIT_MAX = 10_000;

/** Files of other purposes are not handed back. */
const DOWNLOADABLE: ReadonlySet<string> = new Set([
  "batch",
  "batch_output",
  "fine-tune",
  "fine-tune-results",
]);

/** The files of the simulated account. */
export class OpenAiFiles {
  readonly #folder: DataFolder;
  readonly #fileBytesMax: number;
  /** In order of creation. */
  readonly #files = new Map<string, OpenAiFile>();

  constructor(folder: DataFolder, fileBytesMax: number = FILE_BYTES_MAX) {
    this.#folder = folder;
    this.#fileBytesMax = fileBytesMax;
  }

  /** POST /files; nothing is left of a body that is refused or cut short. */
  async upload(request: Request): Promise<Response> {
    const boundary = boundaryOf(request.headers.get("content-type"));
    if (boundary === null || request.body === null) {
      throw new OpenAiError({
        status: 415,
        message: "Unsupported content type. This API method only accepts " +
          "'multipart/form-data' requests.",
      });
    }
    const form = new UploadForm(this.#folder, this.#fileBytesMax);
    try {
      await readMultipart(request.body, boundary, (part) => form.open(part));
      const file = await form.finish();
      this.#files.set(file.id, file);
      return Response.json(wireFile(file));
    } catch (error) {
      await this.#folder.remove(form.id);
      if (error instanceof MultipartError) {
        throw new OpenAiError({ status: 400, message: error.message });
      }
      throw error;
    } finally {
      form.close();
    }
  }

  /** Registers what a batch wrote at `pathOf(id)`. */
  add(file: OpenAiFile): void {
    this.#files.set(file.id, file);
  }

  find(id: string): OpenAiFile | null {
    const file = this.#files.get(id);
    if (file === undefined) return null;
    return file.expiresAt !== null && file.expiresAt <= nowSeconds()
      ? null
      : file;
  }

  pathOf(id: string): string {
    return this.#folder.pathOf(id);
  }

  retrieve(id: string): Response {
    return Response.json(wireFile(this.#get(id)));
  }

  /** GET /files, newest first unless told otherwise. */
  list(query: URLSearchParams): Response {
    const { purpose, order, after } = parseListQuery(query);
    const limit = limitOf(query, LIST_LIMIT_MAX, LIST_LIMIT_MAX);
    const files = [...this.#files.values()].filter((file) =>
      (purpose === undefined || file.purpose === purpose) &&
      this.find(file.id) !== null
    );
    if (order !== "asc") files.reverse();
    if (after !== undefined) this.#get(after);
    const start = files.findIndex((file) => file.id === after) + 1;
    return listPage(files.slice(start).map(wireFile), limit);
  }

  async delete(id: string): Promise<Response> {
    this.#get(id);
    this.#files.delete(id);
    await this.#folder.remove(id);
    return Response.json({ object: "file", deleted: true, id });
  }

  async content(id: string): Promise<Response> {
    const file = this.#get(id);
    if (!DOWNLOADABLE.has(file.purpose)) {
      throw new OpenAiError({
        status: 400,
        message: `Not allowed to download files of purpose: ${file.purpose}`,
      });
    }
    const { readable } = await Deno.open(this.pathOf(id));
    return new Response(readable, {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(file.sizeBytes),
        "content-disposition": `attachment; filename="${
          encodeURIComponent(file.fileName)
        }"`,
      },
    });
  }

  #get(id: string): OpenAiFile {
    const file = this.find(id);
    if (file !== null) return file;
    throw new OpenAiError({
      status: 404,
      message: `No such File object: ${id}`,
      param: "id",
    });
  }
}

function wireFile(file: OpenAiFile): { readonly id: string } {
  const wire = {
    object: "file",
    id: file.id,
    purpose: file.purpose,
    filename: file.fileName,
    bytes: file.sizeBytes,
    created_at: file.createdAt,
    expires_at: file.expiresAt,
    status: "processed",
    status_details: null,
  };
  return wire;
}

function parseListQuery(query: URLSearchParams): {
  purpose: string | undefined;
  order: string | undefined;
  after: string | undefined;
} {
  const order = query.get("order") ?? undefined;
  if (order !== undefined && order !== "asc" && order !== "desc") {
    throw new OpenAiError({
      status: 400,
      message: `Invalid value: '${order}'. Supported values are: 'asc' and ` +
        "'desc'.",
      param: "order",
      code: "invalid_value",
    });
  }
  return {
    purpose: query.get("purpose") ?? undefined,
    order,
    after: query.get("after") ?? undefined,
  };
}
