import OpenAI from "openai";
import type { DriverCall } from "../../domain/driver.ts";
import type { Failure } from "../../domain/failure.ts";
import {
  UpstreamConnection,
  withDeadline,
  withRetries,
} from "../http_client.ts";
import { toGatewayError, type Upstream } from "../http_failure.ts";
import type { UpstreamAnswer } from "../upstream_answer.ts";

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
  readonly #connection = new UpstreamConnection();

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
      fetch: this.#connection.fetch,
    });
    this.#streamed = this.#parsed.withOptions({
      fetch: this.#connection.fetchStream,
    });
  }

  /** One call that may be repeated: a read, or something idempotent. */
  read<T>(call: DriverCall, missing: Failure, work: Work<T>): Promise<T> {
    const run = (): Promise<T> =>
      this.#run(this.#parsed, READ_TIMEOUT_MS, call, missing, work);
    return withRetries(call, run);
  }

  /** One call that must happen once at most. */
  write<T>(call: DriverCall, missing: Failure, work: Work<T>): Promise<T> {
    return this.#run(this.#parsed, WRITE_TIMEOUT_MS, call, missing, work);
  }

  /** Opens an answer whose body is streamed, for as long as the call lasts. */
  open(
    call: DriverCall,
    missing: Failure,
    work: Work<Response>,
  ): Promise<Response> {
    const run = (): Promise<Response> =>
      this.#run(this.#streamed, READ_TIMEOUT_MS, call, missing, work);
    return withRetries(call, run);
  }

  /** One upload whose request says its Content-Length. */
  upload<T>(call: DriverCall, missing: Failure, work: Work<T>): Promise<T> {
    return this.#run(this.#parsed, UPLOAD_TIMEOUT_MS, call, missing, work);
  }

  close(): void {
    this.#connection.close();
  }

  async #run<T>(
    sdk: OpenAI,
    timeoutMs: number,
    call: DriverCall,
    missing: Failure,
    work: Work<T>,
  ): Promise<T> {
    try {
      return await withDeadline(call, timeoutMs, (signal) =>
        // The SDK's own limit only has to be no shorter than this one.
        work(sdk, { signal, timeout: timeoutMs + 1000 }));
    } catch (error) {
      throw toGatewayError(this.upstream, error, missing);
    }
  }
}

type Work<T> = (sdk: OpenAI, options: OpenAiOptions) => PromiseLike<T>;

function isQuotaExhausted(answer: UpstreamAnswer): boolean {
  return answer.codes.some((code) => QUOTA_CODES.has(code)) ||
    /enqueued token|billing hard limit/i.test(answer.message ?? "");
}
