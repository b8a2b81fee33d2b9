import {
  DataFolder,
  Pace,
  serveSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../simulator.ts";
import { GeminiBatches } from "./batches.ts";
import { errorInfo, GoogleError } from "./error.ts";
import { GeminiFiles } from "./files.ts";
import { getModel, listModels } from "./models.ts";
import { GeminiUploads } from "./uploads.ts";

/**
 * Serves the Gemini Developer API's files, batches and models. Any key is
 * taken but `invalid-key`. The URL is what GOOGLE_GEMINI_BASE_URL takes.
 */
export async function startGeminiSimulator(
  options: SimulatorOptions = {},
): Promise<Simulator> {
  const folder = await DataFolder.open(options.dataDir);
  const pace = new Pace(options.paceMs);
  const files = new GeminiFiles(folder, pace.stageMs);
  const batches = new GeminiBatches(files, pace, options.listDelayMs ?? 0);
  const api = new GeminiApi(files, new GeminiUploads(folder, files), batches);
  const server = await serveSimulator(options, (request) => api.handle(request))
    .catch(async (error: unknown) => {
      await folder.close();
      throw error;
    });
  return {
    url: server.url,
    async close(): Promise<void> {
      await server.close();
      await pace.close();
      await folder.close();
    },
  };
}

/** A path cut into what routes look at; `verb` follows a colon. */
interface Place {
  readonly service: "upload" | "download" | "";
  readonly version: string;
  readonly collection: string;
  readonly id: string | null;
  readonly verb: string;
}

class GeminiApi {
  readonly #files: GeminiFiles;
  readonly #uploads: GeminiUploads;
  readonly #batches: GeminiBatches;

  constructor(
    files: GeminiFiles,
    uploads: GeminiUploads,
    batches: GeminiBatches,
  ) {
    this.#files = files;
    this.#uploads = uploads;
    this.#batches = batches;
  }

  async handle(request: Request): Promise<Response> {
    try {
      return await this.#route(request, placeOf(request));
    } catch (error) {
      const failure = error instanceof GoogleError
        ? error
        : new GoogleError("INTERNAL", `Internal error: ${String(error)}`);
      return failure.toResponse();
    }
  }

  async #route(request: Request, place: Place): Promise<Response> {
    const { searchParams, origin } = new URL(request.url);
    const isUpload = place.service === "upload" &&
      place.collection === "files" && request.method !== "GET";
    // The SDK's own key header may be gone on a session's calls.
    if (!isUpload || !this.#uploads.isSessionCall(request)) checkKey(request);
    if (isUpload) return await this.#uploads.handle(request);
    const { id, verb, version } = place;
    const target = [
      place.service,
      place.collection,
      id === null ? [] : ":id",
    ].flat().filter((step) => step !== "").join("/");
    switch (`${request.method} ${target}${verb}`) {
      case "GET files":
        return this.#files.list(searchParams, origin);
      case "GET files/:id":
        return Response.json(
          this.#files.wire(this.#files.get(id ?? ""), origin),
        );
      case "DELETE files/:id":
        return await this.#files.delete(id ?? "");
      case "GET files/:id:download":
      case "GET download/files/:id:download":
        return await this.#files.download(id ?? "", searchParams);
      case "POST models/:id:batchGenerateContent":
        return await this.#batches.create(request, id ?? "", version);
      case "GET batches":
        return this.#batches.list(searchParams);
      case "GET batches/:id":
        return this.#batches.retrieve(id ?? "");
      case "POST batches/:id:cancel":
        return this.#batches.cancel(id ?? "");
      case "DELETE batches/:id":
        return this.#batches.delete(id ?? "");
      case "GET models":
        return listModels(searchParams);
      case "GET models/:id":
        return getModel(id ?? "", version);
      default:
        throw noSuchMethod();
    }
  }
}

function placeOf(request: Request): Place {
  const { pathname } = new URL(request.url);
  const match =
    /^\/(?:(upload|download)\/)?(v1|v1beta|v1alpha)\/([a-z]+)(?:\/([^/:]+)(:[a-zA-Z]+)?)?$/
      .exec(pathname);
  if (match === null) throw noSuchMethod();
  const [, service, version = "", collection = "", id, verb = ""] = match;
  return {
    service: service === "upload" || service === "download" ? service : "",
    version,
    collection,
    id: id === undefined ? null : decodeURIComponent(id),
    verb,
  };
}

function noSuchMethod(): GoogleError {
  return new GoogleError("NOT_FOUND", "Requested entity was not found.");
}

/** A wrong key is an invalid argument here, not a failed authentication. */
function checkKey(request: Request): void {
  const { searchParams } = new URL(request.url);
  const key = request.headers.get("x-goog-api-key") ?? searchParams.get("key");
  if (key === null || key === "") {
    throw new GoogleError(
      "PERMISSION_DENIED",
      "Method doesn't allow unregistered callers (callers without " +
        "established identity). Please use API Key or other form of API " +
        "consumer identity to call this API.",
    );
  }
  if (key !== "invalid-key") return;
  throw new GoogleError(
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    [errorInfo("API_KEY_INVALID")],
  );
}
