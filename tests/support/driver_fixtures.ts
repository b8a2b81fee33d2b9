import type { BedrockOrder, ProviderDriver } from "../../src/domain/driver.ts";
import type { ProviderName } from "../../src/domain/provider.ts";
import { createAnthropicDriver } from "../../src/drivers/anthropic/driver.ts";
import { createBedrockDriver } from "../../src/drivers/bedrock/driver.ts";
import { createGeminiDriver } from "../../src/drivers/gemini/driver.ts";
import { createOpenAiDriver } from "../../src/drivers/openai/driver.ts";
import { startAnthropicSimulator } from "../../src/sandbox/anthropic/simulator.ts";
import { startBedrockSimulator } from "../../src/sandbox/bedrock/simulator.ts";
import { startGeminiSimulator } from "../../src/sandbox/gemini/simulator.ts";
import { startOpenAiSimulator } from "../../src/sandbox/openai/simulator.ts";
import { startS3Simulator } from "../../src/sandbox/s3/simulator.ts";

/**
 * One driver and the simulator that stands in for its provider, as the
 * conformance suite needs them. What a driver does not have (`kind` is
 * `none`), the suite leaves out.
 */
export interface DriverFixture {
  readonly provider: ProviderName;
  start(): Promise<RunningFixture>;
}

export interface RunningFixture extends AsyncDisposable {
  readonly driver: ProviderDriver;
  /** The same provider, asked with credentials that it refuses. */
  readonly stranger: ProviderDriver;
  /** Where the simulator takes `/__faults`. */
  readonly faultsUrl: URL;
  readonly routes: {
    /** One that `probe` asks. */
    readonly probe: FaultRoute;
    /** Null where no batch can be started. */
    readonly startBatch: FaultRoute | null;
  };
  /** One that the catalogue has, and batches take. */
  readonly modelId: string;
  /** Null where no batch can be started. */
  readonly batch: BatchFixture | null;
}

export interface FaultRoute {
  readonly method: string;
  readonly pathPrefix: string;
}

export interface BatchFixture {
  /** A record in the provider's own format, without a line's end. */
  toInputLine(recordId: string): unknown;
  /** The id of the record that a result line answers. */
  recordIdOf(resultLine: unknown): unknown;
  readonly endpoint: string | null;
  /** Where input and output objects lie; null where inputs are files. */
  readonly bucket: string | null;
  readonly bedrock: BedrockOrder | null;
  /** Native ids that no batch has. */
  readonly unknownId: string;
}

/** How long each stage of a simulated batch lasts. */
const PACE_MS = 25;

export const DRIVER_FIXTURES: readonly DriverFixture[] = [
  { provider: "bedrock", start: startBedrock },
  { provider: "openai", start: startOpenAi },
  { provider: "gemini", start: startGemini },
  { provider: "anthropic", start: startAnthropic },
];

async function startBedrock(): Promise<RunningFixture> {
  const s3 = await startS3Simulator();
  const bedrock = await startBedrockSimulator({
    s3Endpoint: s3.url,
    paceMs: PACE_MS,
  });
  const open = (accessKeyId: string): ProviderDriver =>
    createBedrockDriver({
      region: "us-west-2",
      s3Endpoint: s3.url,
      bedrockEndpoint: bedrock.url,
      batchRoleArn: "arn:aws:iam::123456789012:role/batch",
      credentials: { accessKeyId, secretAccessKey: "conformance" },
    });
  const bucket = "your-s3-bucket";
  return {
    ...opened(open("conformance"), open("INVALID"), {
      url: bedrock.url,
      async close(): Promise<void> {
        await bedrock.close();
        await s3.close();
      },
    }),
    routes: {
      probe: { method: "GET", pathPrefix: "/model-invocation-jobs" },
      startBatch: { method: "POST", pathPrefix: "/model-invocation-job" },
    },
    modelId: "anthropic.claude-3-haiku-20240307-v1:0",
    batch: {
      toInputLine: (recordId) => ({
        recordId,
        modelInput: {
          anthropic_version: "bedrock-2023-05-31",
          max_tokens: 16,
          messages: [{ role: "user", content: `Say ${recordId}.` }],
        },
      }),
      recordIdOf: memberOf("recordId"),
      endpoint: null,
      bucket,
      bedrock: {
        clientRequestToken: "conformance",
        outputUri: `s3://${bucket}/output/`,
        inputBucketOwner: null,
        outputBucketOwner: null,
        outputEncryptionKeyId: null,
        vpcConfig: null,
        timeoutDurationInHours: 24,
        modelInvocationType: "InvokeModel",
        tags: [{ key: "suite", value: "conformance" }],
      },
      unknownId: "000000000000",
    },
  };
}

async function startOpenAi(): Promise<RunningFixture> {
  const simulator = await startOpenAiSimulator({ paceMs: PACE_MS });
  const open = (apiKey: string): ProviderDriver =>
    createOpenAiDriver({
      apiKey,
      baseUrl: simulator.url,
      organization: null,
      project: null,
    });
  const modelId = "gpt-4o-mini";
  return {
    ...opened(open("sk-conformance"), open("invalid-key"), simulator),
    routes: {
      probe: { method: "GET", pathPrefix: "/v1/models" },
      startBatch: { method: "POST", pathPrefix: "/v1/batches" },
    },
    modelId,
    batch: {
      toInputLine: (recordId) => ({
        custom_id: recordId,
        method: "POST",
        url: "/v1/chat/completions",
        body: {
          model: modelId,
          messages: [{ role: "user", content: `Say ${recordId}.` }],
        },
      }),
      recordIdOf: memberOf("custom_id"),
      endpoint: "/v1/chat/completions",
      bucket: null,
      bedrock: null,
      unknownId: "batch_000000000000000000000000000000",
    },
  };
}

async function startGemini(): Promise<RunningFixture> {
  const simulator = await startGeminiSimulator({ paceMs: PACE_MS });
  const open = (apiKey: string): ProviderDriver =>
    createGeminiDriver({ apiKey, baseUrl: simulator.url });
  return {
    ...opened(open("AIza-conformance"), open("invalid-key"), simulator),
    routes: {
      probe: { method: "GET", pathPrefix: "/v1beta/models" },
      startBatch: { method: "POST", pathPrefix: "/v1beta/models/" },
    },
    modelId: "gemini-2.5-flash",
    batch: {
      toInputLine: (recordId) => ({
        key: recordId,
        request: {
          contents: [{ role: "user", parts: [{ text: `Say ${recordId}.` }] }],
        },
      }),
      recordIdOf: memberOf("key"),
      endpoint: null,
      bucket: null,
      bedrock: null,
      unknownId: "0000000000000000",
    },
  };
}

async function startAnthropic(): Promise<RunningFixture> {
  const simulator = await startAnthropicSimulator({ paceMs: PACE_MS });
  const open = (apiKey: string): ProviderDriver =>
    createAnthropicDriver({ apiKey, baseUrl: simulator.url });
  return {
    ...opened(open("sk-ant-conformance"), open("invalid-key"), simulator),
    routes: {
      probe: { method: "GET", pathPrefix: "/v1/models" },
      startBatch: null,
    },
    modelId: "claude-haiku-4-5-20251001",
    batch: null,
  };
}

/** The members that every fixture has alike. */
function opened(
  driver: ProviderDriver,
  stranger: ProviderDriver,
  simulator: { readonly url: string; close(): Promise<void> },
): Pick<
  RunningFixture,
  "driver" | "stranger" | "faultsUrl" | typeof Symbol.asyncDispose
> {
  return {
    driver,
    stranger,
    faultsUrl: new URL("/__faults", simulator.url),
    async [Symbol.asyncDispose](): Promise<void> {
      driver.close();
      stranger.close();
      await simulator.close();
    },
  };
}

function memberOf(name: string): (line: unknown) => unknown {
  return (line) =>
    typeof line === "object" && line !== null
      ? Object.entries(line).find(([key]) => key === name)?.[1]
      : undefined;
}
