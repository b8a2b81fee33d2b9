import {
  DataFolder,
  Pace,
  serveSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../simulator.ts";
import { OpenAiBatches } from "./batches.ts";
import {
  errorBody,
  newRequestId,
  OpenAiError,
  type OpenAiFailure,
} from "./error.ts";
import { OpenAiFiles } from "./files.ts";
import { listModels, retrieveModel } from "./models.ts";

/**
 * Serves OpenAI's Files, Batches and Models APIs (OpenAI API Reference). Any
 * key is taken but `invalid-key`. The URL ends in `/v1`, as OPENAI_BASE_URL's
 * does.
 */
export async function startOpenAiSimulator(
  options: SimulatorOptions = {},
): Promise<Simulator> {
  const folder = await DataFolder.open(options.dataDir);
  const pace = new Pace(options.paceMs);
  const files = new OpenAiFiles(folder);
  const batches = new OpenAiBatches(files, pace, options.listDelayMs ?? 0);
  const api = new OpenAiApi(files, batches);
  const server = await serveSimulator(options, (request) => api.handle(request))
    .catch(async (error: unknown) => {
      await folder.close();
      throw error;
    });
  return {
    url: `${server.url}/v1`,
    async close(): Promise<void> {
      await server.close();
      await pace.close();
      await folder.close();
    },
  };
}

class OpenAiApi {
  readonly #files: OpenAiFiles;
  readonly #batches: OpenAiBatches;

  constructor(files: OpenAiFiles, batches: OpenAiBatches) {
    this.#files = files;
    this.#batches = batches;
  }

  /** Answers errors too, all with the headers that clients look for. */
  async handle(request: Request): Promise<Response> {
    const startedMs = performance.now();
    let response: Response;
    try {
      checkKey(request);
      response = await this.#route(request);
    } catch (error) {
      const failure = failureOf(error);
      response = Response.json(errorBody(failure), { status: failure.status });
    }
    const { headers } = response;
    headers.set("x-request-id", newRequestId());
    headers.set("openai-version", "2020-10-01");
    headers.set("openai-organization", "org-sandbox");
    const tookMs = Math.round(performance.now() - startedMs);
    headers.set("openai-processing-ms", String(tookMs));
    return response;
  }

  async #route(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const segments = pathname.split("/").map(decodeURIComponent);
    const [, version, collection, id, verb] = segments;
    if (version !== "v1" || segments.length > 5) throw unknownUrl(request);
    const place = [collection, id === undefined ? [] : ":id", verb ?? []];
    switch (`${request.method} ${place.flat().join("/")}`) {
      case "POST files":
        return await this.#files.upload(request);
      case "GET files":
        return this.#files.list(searchParams);
      case "GET files/:id":
        return this.#files.retrieve(id ?? "");
      case "DELETE files/:id":
        return await this.#files.delete(id ?? "");
      case "GET files/:id/content":
        return await this.#files.content(id ?? "");
      case "POST batches":
        return await this.#batches.create(request);
      case "GET batches":
        return this.#batches.list(searchParams);
      case "GET batches/:id":
        return this.#batches.retrieve(id ?? "");
      case "POST batches/:id/cancel":
        return this.#batches.cancel(id ?? "");
      case "GET models":
        return listModels();
      case "GET models/:id":
        return retrieveModel(id ?? "");
      default:
        throw unknownUrl(request);
    }
  }
}

function failureOf(error: unknown): OpenAiFailure {
  if (error instanceof OpenAiError) return error.failure;
  const reason = error instanceof Error ? error.message : String(error);
  return {
    status: 500,
    message: `The server had an error while processing your request: ${reason}`,
    type: "server_error",
  };
}

function checkKey(request: Request): void {
  const header = request.headers.get("authorization") ?? "";
  const key = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (key === undefined) {
    throw new OpenAiError({
      status: 401,
      message: "You didn't provide an API key. You need to provide your API " +
        "key in an Authorization header using Bearer auth (i.e. " +
        "Authorization: Bearer YOUR_KEY).",
    });
  }
  if (key !== "invalid-key") return;
  throw new OpenAiError({
    status: 401,
    message: "Incorrect API key provided: invalid-key. You can find your API " +
      "key at https://platform.openai.com/account/api-keys.",
    code: "invalid_api_key",
  });
}

function unknownUrl(request: Request): OpenAiError {
  const { pathname } = new URL(request.url);
  return new OpenAiError({
    status: 404,
    message: `Invalid URL (${request.method} ${pathname})`,
  });
}
