import type { BedrockClient } from "@aws-sdk/client-bedrock";
import type { DriverCall } from "../../domain/driver.ts";
import type { Failure } from "../../domain/failure.ts";
import { withRetries } from "../http_client.ts";
import { toGatewayError } from "../../aws/failures.ts";

/** How long Bedrock may take to answer one request. */
const ANSWER_TIMEOUT_MS = 30_000;

export interface SendOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
}

type Send<T> = (client: BedrockClient, options: SendOptions) => Promise<T>;

/** Bedrock's control plane, within a call's bounds and with its failures. */
export class ControlPlane {
  readonly #client: BedrockClient;

  constructor(client: BedrockClient) {
    this.#client = client;
  }

  /**
   * Runs a command that only reads, again where Bedrock could not be reached
   * or failed.
   *
   * @param missing What "not found" says about this call.
   */
  read<T>(call: DriverCall, missing: Failure, send: Send<T>): Promise<T> {
    return withRetries(call, () => this.write(call, missing, send));
  }

  /** Runs a command once. */
  async write<T>(
    call: DriverCall,
    missing: Failure,
    send: Send<T>,
  ): Promise<T> {
    const { signal } = call;
    const options = { abortSignal: signal, requestTimeout: ANSWER_TIMEOUT_MS };
    try {
      return await send(this.#client, options);
    } catch (error) {
      const service = "Amazon Bedrock";
      throw toGatewayError(error, { service, missing, bucket: null }, signal);
    }
  }
}
