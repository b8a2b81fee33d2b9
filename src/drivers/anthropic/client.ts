import Anthropic from "@anthropic-ai/sdk";
import type { DriverCall } from "../../domain/driver.ts";
import type { Failure } from "../../domain/failure.ts";
import {
  UpstreamConnection,
  withDeadline,
  withRetries,
} from "../http_client.ts";
import { toGatewayError, type Upstream } from "../http_failure.ts";

export interface AnthropicConfig {
  readonly apiKey: string;
  /** Null: Anthropic's own. */
  readonly baseUrl: string | null;
}

const BASE_URL = "https://api.anthropic.com";
const TIMEOUT_MS = 60_000;
/** "Errors", request_too_large: 32 MB for what is not a batch. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;

/** The SDK, with deadlines and failures as the gateway knows them. */
export class AnthropicClient {
  readonly #upstream: Upstream;
  readonly #sdk: Anthropic;
  readonly #connection = new UpstreamConnection();

  constructor(config: AnthropicConfig) {
    this.#upstream = {
      name: "Anthropic",
      secrets: [config.apiKey],
      bodyBytesMax: BODY_BYTES_MAX,
      // Used-up credit is a 402, and every 429 is a rate.
      isQuotaExhausted: () => false,
    };
    this.#sdk = new Anthropic({
      apiKey: config.apiKey,
      // Given, so that the SDK does not take them from the environment.
      webhookKey: null,
      openTelemetry: false,
      baseURL: config.baseUrl ?? BASE_URL,
      logLevel: "off",
      maxRetries: 0,
      fetch: this.#connection.fetch,
    });
  }

  /** One call that may be repeated: a read, or something idempotent. */
  read<T>(
    call: DriverCall,
    missing: Failure,
    work: (
      sdk: Anthropic,
      options: { readonly signal: AbortSignal; readonly timeout: number },
    ) => Promise<T>,
  ): Promise<T> {
    return withRetries(call, async () => {
      try {
        return await withDeadline(call, TIMEOUT_MS, (signal) =>
          // The SDK's own limit only has to be no shorter than this one.
          work(this.#sdk, { signal, timeout: TIMEOUT_MS + 1000 }));
      } catch (error) {
        throw toGatewayError(this.#upstream, error, missing);
      }
    });
  }

  close(): void {
    this.#connection.close();
  }
}
