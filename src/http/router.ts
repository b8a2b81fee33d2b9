import { errorFields, type Log } from "../telemetry/log.ts";
import { keepUncompressed } from "./compression.ts";
import type { RequestBase } from "./request_base.ts";
import { parseRequestTarget } from "./target.ts";

export type FrontEnd = (
  request: Request,
  base: RequestBase,
) => Promise<Response> | Response;

/** A front end and the raw paths that are its own. */
export interface Route {
  readonly name: string;
  matches(rawPath: string): boolean;
  handle: FrontEnd;
}

export interface RouterOptions {
  /** The first that matches serves; nothing matches: `fallback`. */
  readonly routes: readonly Route[];
  readonly fallback: FrontEnd;
  readonly log: Log;
  readonly now?: () => number;
}

/** A path itself, or anything below it. */
export function below(prefix: string): (rawPath: string) => boolean {
  return (rawPath) => rawPath === prefix || rawPath.startsWith(`${prefix}/`);
}

/**
 * The handler for `Deno.serve`: request id, route, one access-log line. Front
 * ends render their own errors; one that throws all the same ends in a 500.
 */
export function createRouter(
  options: RouterOptions,
): (request: Request) => Promise<Response> {
  const now = options.now ?? (() => performance.now());
  return async (received) => {
    const startMs = now();
    const request = withHost(received);
    const requestId = crypto.randomUUID();
    const notes: Record<string, string | number> = {};
    const target = parseRequestTarget(received.url);
    const route = options.routes.find(({ matches }) => matches(target.rawPath));
    const handle = route?.handle ?? options.fallback;
    const base: RequestBase = {
      requestId,
      signal: request.signal,
      target,
      note: (fields) => Object.assign(notes, fields),
    };
    const response = await serve(handle, request, base, options.log);
    options.log.info("request", {
      requestId,
      surface: route?.name ?? "none",
      method: request.method,
      status: response.status,
      ...notes,
      ms: Math.round((now() - startMs) * 10) / 10,
    });
    return response;
  };
}

/** HTTP/2 names the host in the URL alone, and signatures cover the header. */
function withHost(request: Request): Request {
  if (request.headers.has("host")) return request;
  const headers = new Headers(request.headers);
  headers.set("host", new URL(request.url).host);
  return new Request(request, { headers });
}

async function serve(
  handle: FrontEnd,
  request: Request,
  base: RequestBase,
  log: Log,
): Promise<Response> {
  try {
    const response = await handle(request, base);
    const acceptEncoding = request.headers.get("accept-encoding");
    return keepUncompressed(response, acceptEncoding);
  } catch (error) {
    log.error("front end threw", {
      requestId: base.requestId,
      ...errorFields(error),
    });
    return Response.json({ message: "The gateway failed." }, { status: 500 });
  }
}
