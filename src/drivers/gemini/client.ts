import { GoogleGenAI } from "@google/genai";
import type { DriverCall } from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import {
  createUnpooledClient,
  deadline,
  fetchUpstream,
  openInTime,
  requireOk,
  sendUpstream,
  type UpstreamInit,
  withRetries,
} from "../http_client.ts";
import {
  quoteUpstream,
  toGatewayError,
  type Upstream,
  type UpstreamAnswer,
  upstreamAnswerOf,
} from "../http_failure.ts";

export interface GeminiConfig {
  readonly apiKey: string;
  /** Null: Google's own. */
  readonly baseUrl: string | null;
}

/** Gemini API, "Files API": 2 GB a file. */
export const FILE_BYTES_MAX = 2 * 1024 * 1024 * 1024;

const BASE_URL = "https://generativelanguage.googleapis.com";
const API_VERSION = "v1beta";
const TIMEOUT_MS = 60_000;
const REDIRECTS_MAX = 3;

/**
 * The SDK, and beside it plain requests for what it does not do: it uploads
 * and downloads only whole files, and its BatchJob drops the counts and the
 * error of a batch. Both share deadlines and failures.
 */
export class GeminiClient {
  readonly upstream: Upstream;
  /** Whether Google's own host is replaced by a configured one. */
  readonly redirected: boolean;
  readonly #sdk: GoogleGenAI;
  readonly #baseUrl: string;
  readonly #apiKey: string;
  readonly #unpooled = createUnpooledClient();

  constructor(config: GeminiConfig) {
    this.upstream = {
      name: "Gemini",
      secrets: [config.apiKey],
      bodyBytesMax: FILE_BYTES_MAX,
      isQuotaExhausted,
    };
    this.redirected = config.baseUrl !== null;
    this.#baseUrl = (config.baseUrl ?? BASE_URL).replace(/\/+$/, "");
    this.#apiKey = config.apiKey;
    this.#sdk = new GoogleGenAI({
      apiKey: config.apiKey,
      // Given, so that the SDK does not take them from the environment.
      vertexai: false,
      apiVersion: API_VERSION,
      httpOptions: { baseUrl: this.#baseUrl, fetch: fetchGemini },
    });
  }

  /** An SDK call that may be repeated: a read, or something idempotent. */
  read<T>(
    call: DriverCall,
    missing: Failure,
    work: (sdk: GoogleGenAI, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return withRetries(call, () => this.write(call, missing, work));
  }

  /** An SDK call that must happen once at most. */
  write<T>(
    call: DriverCall,
    missing: Failure,
    work: (sdk: GoogleGenAI, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.judged(
      missing,
      () => work(this.#sdk, deadline(call, TIMEOUT_MS)),
    );
  }

  /** A plain GET of JSON, which `parse` reads. */
  get<T>(
    call: DriverCall,
    missing: Failure,
    path: string,
    parse: (response: Response) => Promise<T>,
  ): Promise<T> {
    return withRetries(call, () =>
      this.judged(missing, async () => {
        const signal = deadline(call, TIMEOUT_MS);
        return await parse(await this.#send(this.urlOf(path), { signal }));
      }));
  }

  /** A plain POST of JSON, which happens once at most. */
  post<T>(
    call: DriverCall,
    missing: Failure,
    path: string,
    body: unknown,
    parse: (response: Response) => Promise<T>,
  ): Promise<T> {
    return this.judged(missing, async () =>
      await parse(
        await this.#send(this.urlOf(path), {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
          signal: deadline(call, TIMEOUT_MS),
          client: this.#unpooled,
        }),
      ));
  }

  /** Opens a body to be streamed for as long as the call lasts. */
  open(call: DriverCall, missing: Failure, path: string): Promise<Response> {
    const open = (signal: AbortSignal): Promise<Response> =>
      this.#send(this.urlOf(path), { signal });
    return withRetries(
      call,
      () => this.judged(missing, () => openInTime(call, TIMEOUT_MS, open)),
    );
  }

  /** Absolute URL of a path such as `/v1beta/files/x`. */
  urlOf(path: string): URL {
    return new URL(`${this.#baseUrl}${path}`);
  }

  /** One exchange as it comes; the key goes to the API's own host alone. */
  exchange(url: URL, init: UpstreamInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (url.origin === new URL(this.#baseUrl).origin) {
      headers.set("x-goog-api-key", this.#apiKey);
    }
    return sendUpstream(url, { ...init, headers, redirect: "manual" });
  }

  close(): void {
    this.#unpooled.close();
  }

  /** Runs `work` and turns what it throws into GatewayErrors. */
  async judged<T>(missing: Failure, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#toGatewayError(error, missing);
    }
  }

  /** Follows redirects by itself: `fetch` would hand the key on to any host. */
  async #send(url: URL, init: UpstreamInit): Promise<Response> {
    let response = await this.exchange(url, init);
    for (let hop = 1; hop <= REDIRECTS_MAX; hop++) {
      const target = redirectOf(response, url);
      if (target === null || init.method === "POST") break;
      await response.body?.cancel();
      response = await this.exchange(target, init);
    }
    return await requireOk(response);
  }

  /** Google says 403 of what does not exist, to tell nobody what does. */
  #toGatewayError(error: unknown, missing: Failure): GatewayError {
    const answer = upstreamAnswerOf(error);
    if (answer?.status !== 403 || !/not exist/i.test(answer.message ?? "")) {
      return toGatewayError(this.upstream, error, missing);
    }
    const said = quoteUpstream(this.upstream, answer.message ?? "");
    return new GatewayError(missing, `Gemini: ${said}`, { cause: error });
  }
}

/** For the SDK, which reads every answer as JSON, also an empty one. */
async function fetchGemini(
  input: string | URL | Request,
  init?: RequestInit,
): Promise<Response> {
  const response = await fetchUpstream(input, { ...init, redirect: "manual" });
  const empty = response.body === null ||
    response.headers.get("content-length") === "0";
  return empty ? Response.json({}) : response;
}

function redirectOf(response: Response, base: URL): URL | null {
  const location = response.headers.get("location");
  const { status } = response;
  return status >= 300 && status < 400 && location !== null
    ? new URL(location, base)
    : null;
}

/** A day's quota comes back tomorrow; a minute's is a rate. */
function isQuotaExhausted(answer: UpstreamAnswer): boolean {
  return answer.codes.some((code) => /PerDay/i.test(code));
}
