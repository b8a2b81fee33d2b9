import { GoogleGenAI } from "@google/genai/web";
import type { DriverCall } from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import type { TransportFetch } from "../../upstream/transport_fetch.ts";
import {
  requireOk,
  UpstreamConnection,
  withDeadline,
  withRetries,
} from "../http_client.ts";
import {
  quoteUpstream,
  toGatewayError,
  type Upstream,
  upstreamAnswerOf,
} from "../http_failure.ts";
import type { UpstreamAnswer } from "../upstream_answer.ts";

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

/**
 * The SDK (its build for the web, which needs no environment variable, no file
 * system and less memory), and beside it plain requests for what it does not
 * do: it uploads and downloads only whole files, and its BatchJob drops the
 * counts and the error of a batch. Both share deadlines and failures.
 */
export class GeminiClient {
  readonly upstream: Upstream;
  /** Whether Google's own host is replaced by a configured one. */
  readonly redirected: boolean;
  readonly #sdk: GoogleGenAI;
  readonly #baseUrl: string;
  readonly #apiKey: string;
  readonly #connection = new UpstreamConnection();

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
      vertexai: false,
      apiVersion: API_VERSION,
      httpOptions: {
        baseUrl: this.#baseUrl,
        fetch: wholeAnswers(this.#connection),
      },
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
      () => withDeadline(call, TIMEOUT_MS, (signal) => work(this.#sdk, signal)),
    );
  }

  /** A plain GET of JSON, which `parse` reads. */
  get<T>(
    call: DriverCall,
    missing: Failure,
    path: string,
    parse: (response: Response) => Promise<T>,
  ): Promise<T> {
    const get = async (signal: AbortSignal): Promise<T> =>
      await parse(await this.#send(this.urlOf(path), { signal }));
    return withRetries(
      call,
      () => this.judged(missing, () => withDeadline(call, TIMEOUT_MS, get)),
    );
  }

  /** A plain POST of JSON, which happens once at most. */
  post<T>(
    call: DriverCall,
    missing: Failure,
    path: string,
    body: unknown,
    parse: (response: Response) => Promise<T>,
  ): Promise<T> {
    const post = async (signal: AbortSignal): Promise<T> =>
      await parse(
        await this.#send(this.urlOf(path), {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
          signal,
        }),
      );
    return this.judged(missing, () => withDeadline(call, TIMEOUT_MS, post));
  }

  /** Opens a body to be streamed for as long as the call lasts. */
  open(call: DriverCall, missing: Failure, path: string): Promise<Response> {
    const open = (signal: AbortSignal): Promise<Response> =>
      this.#send(this.urlOf(path), { signal });
    return withRetries(
      call,
      () => this.judged(missing, () => withDeadline(call, TIMEOUT_MS, open)),
    );
  }

  /** Absolute URL of a path such as `/v1beta/files/x`. */
  urlOf(path: string): URL {
    return new URL(`${this.#baseUrl}${path}`);
  }

  /** One exchange as it comes, with the key where that may go. */
  exchange(url: URL, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    // The key goes to the API's own host alone.
    if (url.origin === new URL(this.#baseUrl).origin) {
      headers.set("x-goog-api-key", this.#apiKey);
    }
    return this.#connection.exchange(url, { ...init, headers });
  }

  close(): void {
    this.#connection.close();
  }

  /** Runs `work` and turns what it throws into GatewayErrors. */
  async judged<T>(missing: Failure, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#toGatewayError(error, missing);
    }
  }

  async #send(url: URL, init: RequestInit): Promise<Response> {
    return await requireOk(await this.exchange(url, init));
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

/**
 * For the SDK, which reads most answers as JSON, also an empty one, and leaves
 * the answer to a cancellation unread, which would hold its connection.
 */
function wholeAnswers(connection: UpstreamConnection): TransportFetch {
  return async (input, init) => {
    const response = await connection.fetch(input, init);
    const text = await response.text();
    const json = { "content-type": "application/json" };
    return new Response(text === "" ? "{}" : text, { headers: json });
  };
}

/** A day's quota comes back tomorrow; a minute's is a rate. */
function isQuotaExhausted(answer: UpstreamAnswer): boolean {
  return answer.codes.some((code) => /PerDay/i.test(code));
}
