import { BedrockClient } from "@aws-sdk/client-bedrock";
import { S3Client } from "@aws-sdk/client-s3";
import type { HttpTransport } from "../upstream/transport.ts";
import { TransportRequestHandler } from "./request_handler.ts";

export interface AwsClientOptions {
  readonly region: string;
  /** Another server than AWS; S3 is then reached in path style. */
  readonly endpoint: string | null;
  /**
   * Null: the SDK's own chain of environment, profile files, web identity,
   * container and instance roles, asked on the first call.
   */
  readonly credentials: AwsCredentials | null;
  /** How often a command is tried in all. */
  readonly attemptsMax: number;
}

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** An SDK client, and the connections that it travels over. */
export interface AwsClient<Client> {
  readonly client: Client;
  readonly transport: HttpTransport;
}

/** Nothing is fetched or read before the first call, so this never fails. */
export function createS3Client(options: AwsClientOptions): AwsClient<S3Client> {
  const requestHandler = new TransportRequestHandler();
  const client = new S3Client({
    ...toSdkOptions(options),
    requestHandler,
    forcePathStyle: options.endpoint !== null,
    followRegionRedirects: true,
    // The transport cannot wait for an interim answer.
    expectContinueHeader: false,
    // S3 servers other than AWS need not know the newer default checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  return { client, transport: requestHandler.transport };
}

/** A client of Bedrock's control plane; see `createS3Client`. */
export function createBedrockClient(
  options: AwsClientOptions,
): AwsClient<BedrockClient> {
  const requestHandler = new TransportRequestHandler();
  const client = new BedrockClient({
    ...toSdkOptions(options),
    requestHandler,
  });
  return { client, transport: requestHandler.transport };
}

interface SdkOptions {
  readonly region: string;
  readonly maxAttempts: number;
  readonly endpoint?: string;
  readonly credentials?: AwsCredentials;
  readonly ignoreConfiguredEndpointUrls: true;
}

function toSdkOptions(options: AwsClientOptions): SdkOptions {
  const { region, endpoint, credentials, attemptsMax } = options;
  return {
    region,
    maxAttempts: attemptsMax,
    ...(endpoint === null ? {} : { endpoint }),
    ...(credentials === null ? {} : { credentials }),
    // Endpoints come from the gateway's configuration and nowhere else, so
    // that commands and forwarded requests always reach the same server.
    ignoreConfiguredEndpointUrls: true,
  };
}
