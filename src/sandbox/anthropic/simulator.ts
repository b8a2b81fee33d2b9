import {
  DataFolder,
  Pace,
  serveSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../simulator.ts";
import { MessageBatches } from "./batches.ts";
import { AnthropicError, newId } from "./error.ts";
import { listModels, retrieveModel } from "./models.ts";

/** Values of `anthropic-version`; Anthropic API Reference, Versions. */
const VERSIONS: ReadonlySet<string> = new Set([
  "2023-01-01",
  "2023-06-01",
  "2026-10-21",
]);

/**
 * Serves Anthropic's Message Batches and Models APIs. Any key is taken but
 * `invalid-key`, in either header. The URL is what ANTHROPIC_BASE_URL takes.
 */
export async function startAnthropicSimulator(
  options: SimulatorOptions = {},
): Promise<Simulator> {
  const folder = await DataFolder.open(options.dataDir);
  const pace = new Pace(options.paceMs);
  const batches = new MessageBatches(folder, pace, options.listDelayMs ?? 0);
  const server = await serveSimulator(
    options,
    (request) => handle(request, batches),
  ).catch(async (error: unknown) => {
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

async function handle(
  request: Request,
  batches: MessageBatches,
): Promise<Response> {
  const requestId = newId("req");
  let response: Response;
  try {
    checkKey(request.headers);
    response = await route(request, versionOf(request.headers), batches);
  } catch (error) {
    const failure = error instanceof AnthropicError
      ? error
      : new AnthropicError("api_error", `Internal error: ${String(error)}`);
    const { status } = failure;
    response = Response.json(failure.toBody(requestId), { status });
  }
  response.headers.set("request-id", requestId);
  response.headers.set("anthropic-organization-id", "org-sandbox");
  return response;
}

async function route(
  request: Request,
  version: string,
  batches: MessageBatches,
): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const match = /^\/v1\/(models|messages\/batches)(?:\/([^/]+)(\/[a-z]+)?)?$/
    .exec(
      pathname,
    );
  const [, collection, encodedId, verb = ""] = match ?? [];
  const id = decodeURIComponent(encodedId ?? "");
  const place = id === "" ? "" : "/:id";
  switch (`${request.method} ${collection}${place}${verb}`) {
    case "GET models":
      return listModels(searchParams);
    case "GET models/:id":
      return retrieveModel(id);
    case "POST messages/batches":
      return await batches.create(request, version);
    case "GET messages/batches":
      return batches.list(request);
    case "GET messages/batches/:id":
      return batches.retrieve(id, request);
    case "POST messages/batches/:id/cancel":
      return batches.cancel(id, request);
    case "DELETE messages/batches/:id":
      return await batches.delete(id);
    case "GET messages/batches/:id/results":
      return await batches.results(id);
    default:
      throw new AnthropicError("not_found_error", "Not Found");
  }
}

/** Newer SDKs send a bearer token, older ones and plain callers x-api-key. */
function checkKey(headers: Headers): void {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "");
  const key = headers.get("x-api-key") ?? bearer?.[1] ?? "";
  if (key === "") {
    throw new AnthropicError(
      "authentication_error",
      "x-api-key header is required",
    );
  }
  if (key !== "invalid-key") return;
  throw new AnthropicError("authentication_error", "invalid x-api-key");
}

function versionOf(headers: Headers): string {
  const version = headers.get("anthropic-version");
  if (version === null) {
    throw new AnthropicError(
      "invalid_request_error",
      "anthropic-version: header is required",
    );
  }
  if (VERSIONS.has(version)) return version;
  throw new AnthropicError(
    "invalid_request_error",
    `anthropic-version: "${version}" is not a valid version`,
  );
}
