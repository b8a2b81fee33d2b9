import OpenAI from "openai";
import type { DriverCall } from "../../domain/driver.ts";
import type { Failure } from "../../domain/failure.ts";
import {
  createUnpooledClient,
  deadline,
  fetchUpstream,
  fetchUpstreamStream,
  requireOk,
  withRetries,
} from "../http_client.ts";
import {
  toGatewayError,
  type Upstream,
  type UpstreamAnswer,
} from "../http_failure.ts";
import { fetchWithLength } from "./length_fetch.ts";

export interface OpenAiConfig {
  readonly apiKey: string;
  /** Null: OpenAI's own. */
  readonly baseUrl: string | null;
  readonly organization: string | null;
  readonly project: string | null;
}

/** What each SDK call gets; the SDK's own retries are off. */
export interface OpenAiOptions {
  readonly signal: AbortSignal;
  readonly timeout: number;
}

/** OpenAI Help Center, "What are the file size limits": 512 MB a file. */
export const FILE_BYTES_MAX = 512 * 1024 * 1024;

const BASE_URL = "https://api.openai.com/v1";
const READ_TIMEOUT_MS = 60_000;
const WRITE_TIMEOUT_MS = 60_000;
/** The call's own time, and a stalled connection, end an upload sooner. */
const UPLOAD_TIMEOUT_MS = 6 * 60 * 60 * 1000;

/** Codes of 429 answers that no waiting cures. */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_not_active",
  "token_limit_exceeded",
]);

/** The SDK, with deadlines and failures as the gateway knows them. */
export class OpenAiClient {
  readonly upstream: Upstream;
  readonly #parsed: OpenAI;
  readonly #streamed: OpenAI;
  readonly #once: OpenAI;
  readonly #upload: OpenAI;
  readonly #unpooled = createUnpooledClient();

  constructor(config: OpenAiConfig) {
    this.upstream = {
      name: "OpenAI",
      secrets: [config.apiKey],
      bodyBytesMax: FILE_BYTES_MAX,
      isQuotaExhausted,
    };
    // Everything is given, so that the SDK reads no environment variable.
    this.#parsed = new OpenAI({
      apiKey: config.apiKey,
      adminAPIKey: null,
      organization: config.organization,
      project: config.project,
      webhookSecret: null,
      baseURL: config.baseUrl ?? BASE_URL,
      logLevel: "off",
      maxRetries: 0,
      fetch: fetchUpstream,
    });
    this.#streamed = this.#parsed.withOptions({ fetch: fetchUpstreamStream });
    this.#once = this.#parsed.withOptions({
      fetch: (input, init) =>
        fetchUpstream(input, { ...init, client: this.#unpooled }),
    });
    this.#upload = this.#parsed.withOptions({
      fetch: async (input, init) =>
        await requireOk(await fetchWithLength(input, init)),
    });
  }

  /** One call that may be repeated: a read, or something idempotent. */
  read<T>(
    call: DriverCall,
    missing: Failure,
    work: (sdk: OpenAI, options: OpenAiOptions) => PromiseLike<T>,
  ): Promise<T> {
    return withRetries(call, () =>
      this.#run(missing, () =>
        work(this.#parsed, {
          signal: deadline(call, READ_TIMEOUT_MS),
          timeout: READ_TIMEOUT_MS,
        })));
  }

  /** One call that must happen once at most. */
  write<T>(
    call: DriverCall,
    missing: Failure,
    work: (sdk: OpenAI, options: OpenAiOptions) => PromiseLike<T>,
  ): Promise<T> {
    return this.#run(missing, () =>
      work(this.#once, {
        signal: deadline(call, WRITE_TIMEOUT_MS),
        timeout: WRITE_TIMEOUT_MS,
      }));
  }

  /** Opens an answer whose body is streamed, for as long as the call lasts. */
  open(
    call: DriverCall,
    missing: Failure,
    work: (sdk: OpenAI, options: OpenAiOptions) => PromiseLike<Response>,
  ): Promise<Response> {
    return withRetries(
      call,
      () =>
        this.#run(missing, () =>
          work(this.#streamed, {
            signal: call.signal,
            timeout: READ_TIMEOUT_MS,
          })),
    );
  }

  /** One upload whose request says its Content-Length. */
  upload<T>(
    call: DriverCall,
    missing: Failure,
    work: (sdk: OpenAI, options: OpenAiOptions) => PromiseLike<T>,
  ): Promise<T> {
    return this.#run(missing, () =>
      work(this.#upload, {
        signal: deadline(call, UPLOAD_TIMEOUT_MS),
        timeout: UPLOAD_TIMEOUT_MS,
      }));
  }

  close(): void {
    this.#unpooled.close();
  }

  async #run<T>(
    missing: Failure,
    work: () => PromiseLike<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toGatewayError(this.upstream, error, missing);
    }
  }
}

function isQuotaExhausted(answer: UpstreamAnswer): boolean {
  return answer.codes.some((code) => QUOTA_CODES.has(code)) ||
    /enqueued token|billing hard limit/i.test(answer.message ?? "");
}
