import { z } from "zod";

/** A rule rests in memory until it is used up, so their number is bounded. */
const RULES_MAX = 1000;
const TIMES_MAX = 1_000_000;
const DELAY_MS_MAX = 600_000;
/** Distinct lines of the call count; further routes are counted as one. */
const ROUTES_MAX = 5000;

const ruleSchema = z.strictObject({
  method: z.string().optional(),
  pathPrefix: z.string().optional(),
  times: z.int().min(1).max(TIMES_MAX).default(1),
  status: z.int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown().optional(),
  delayMs: z.int().min(0).max(DELAY_MS_MAX).optional(),
  cut: z.enum(["before", "after"]).optional(),
});

/**
 * What shall go wrong with the next `times` requests of a method and path.
 * `status` answers that instead of handling the request; `delayMs` holds the
 * answer back; `cut` closes the connection without an answer, either `before`
 * the request is handled or `after`.
 */
export type FaultRule = z.infer<typeof ruleSchema>;

/** What becomes of one request; `cut` means that there is no answer at all. */
export type FaultedAnswer = Response | "cut";

/**
 * The faults that tests inject into a simulator, and its count of calls:
 * `POST /__faults` adds a JSON list of rules (the first that fits a request
 * applies), `DELETE /__faults` forgets them, `GET /__calls` tells how often
 * each route was asked, `DELETE /__calls` starts that count anew.
 */
export class Faults {
  readonly #handler: (request: Request) => Promise<Response>;
  readonly #routeOf: (request: Request) => string;
  readonly #closing: AbortSignal;
  readonly #calls = new Map<string, number>();
  #rules: { readonly rule: FaultRule; timesLeft: number }[] = [];

  constructor(
    handler: (request: Request) => Promise<Response>,
    routeOf: (request: Request) => string,
    closing: AbortSignal,
  ) {
    this.#handler = handler;
    this.#routeOf = routeOf;
    this.#closing = closing;
  }

  async handle(request: Request): Promise<FaultedAnswer> {
    const { pathname } = new URL(request.url);
    if (pathname === "/__faults") return await this.#controlFaults(request);
    if (pathname === "/__calls") return this.#controlCalls(request);
    this.#count(request);
    const rule = this.#take(request.method, pathname);
    if (rule === null) return await this.#handler(request);
    return await this.#apply(rule, request);
  }

  async #apply(rule: FaultRule, request: Request): Promise<FaultedAnswer> {
    if (rule.cut === "before") {
      await this.#delay(rule.delayMs ?? 0);
      return "cut";
    }
    const response = rule.status === undefined
      ? await this.#handler(request)
      : faultResponse(rule, rule.status);
    await this.#delay(rule.delayMs ?? 0);
    if (rule.cut !== "after") return response;
    await response.body?.cancel();
    return "cut";
  }

  #take(method: string, pathname: string): FaultRule | null {
    const found = this.#rules.find(({ rule }) =>
      (rule.method ?? method).toUpperCase() === method &&
      pathname.startsWith(rule.pathPrefix ?? "/")
    );
    if (found === undefined) return null;
    found.timesLeft -= 1;
    if (found.timesLeft === 0) {
      this.#rules = this.#rules.filter((entry) => entry !== found);
    }
    return found.rule;
  }

  #count(request: Request): void {
    const route = `${request.method} ${this.#routeOf(request)}`;
    const known = this.#calls.has(route) || this.#calls.size < ROUTES_MAX;
    const name = known ? route : "other";
    this.#calls.set(name, (this.#calls.get(name) ?? 0) + 1);
  }

  async #controlFaults(request: Request): Promise<Response> {
    if (request.method === "DELETE") {
      this.#rules = [];
      return Response.json({ rules: 0 });
    }
    const text = await request.text();
    const parsed = z.array(ruleSchema).max(RULES_MAX).safeParse(
      parseJson(text),
    );
    if (request.method !== "POST" || !parsed.success) {
      const error = parsed.error?.message ?? "POST a list of rules, or DELETE.";
      return Response.json({ error }, { status: 400 });
    }
    const added = parsed.data.map((rule) => ({ rule, timesLeft: rule.times }));
    this.#rules = [...this.#rules, ...added].slice(0, RULES_MAX);
    return Response.json({ rules: this.#rules.length });
  }

  #controlCalls(request: Request): Response {
    if (request.method === "DELETE") this.#calls.clear();
    const lines = [...this.#calls].sort(([a], [b]) => a < b ? -1 : 1);
    return Response.json(Object.fromEntries(lines));
  }

  /** Ends early where the simulator closes. */
  async #delay(delayMs: number): Promise<void> {
    if (delayMs > 0) await pause(delayMs, this.#closing);
  }
}

/** Waits `delayMs`, or until `signal` aborts. Leaves no timer behind. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

function faultResponse(rule: FaultRule, status: number): Response {
  const headers = new Headers(rule.headers);
  if (rule.body === undefined) return new Response(null, { status, headers });
  if (typeof rule.body === "string") {
    return new Response(rule.body, { status, headers });
  }
  if (!headers.has("content-type")) {
    headers.set("content-type", "application/json");
  }
  return new Response(JSON.stringify(rule.body), { status, headers });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Path segments that are followed by an id in some provider's API. */
const COLLECTIONS: ReadonlySet<string> = new Set([
  "files",
  "uploads",
  "batches",
  "models",
  "model-invocation-job",
  "foundation-models",
]);

/**
 * The path of a request with its ids replaced by `:id`. A verb that Google's
 * APIs hang on an id stays: `/v1beta/batches/:id:cancel`.
 */
export function routeOf(request: Request): string {
  const segments = new URL(request.url).pathname.split("/");
  return segments.map((segment, index) => {
    const collection = segments[index - 1];
    if (collection === undefined || !COLLECTIONS.has(collection)) {
      return segment;
    }
    if (segment === "") return segment;
    const verb = /:[a-zA-Z]+$/.exec(segment);
    return `:id${verb === null ? "" : verb[0]}`;
  }).join("/");
}
