import { startAnthropicSimulator } from "./anthropic/simulator.ts";
import { startBedrockSimulator } from "./bedrock/simulator.ts";
import { startGeminiSimulator } from "./gemini/simulator.ts";
import { startOpenAiSimulator } from "./openai/simulator.ts";
import { startS3Simulator } from "./s3/simulator.ts";
import type { Simulator, SimulatorOptions } from "./simulator.ts";

export interface SandboxOptions {
  /** Each simulator keeps its files in a folder of its own below this. */
  readonly dataDir?: string;
  readonly paceMs?: number;
  readonly listDelayMs?: number;
  readonly s3Port?: number;
  readonly bedrockPort?: number;
  readonly openAiPort?: number;
  readonly geminiPort?: number;
  readonly anthropicPort?: number;
}

/** Every provider's API on loopback ports. */
export interface Sandbox {
  readonly s3: Simulator;
  readonly bedrock: Simulator;
  readonly openai: Simulator;
  readonly gemini: Simulator;
  readonly anthropic: Simulator;
  /** The environment that makes a gateway use these simulators. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const REGION = "us-west-2";

/** Starts all simulators; where one cannot start, none stays. */
export async function startSandbox(
  options: SandboxOptions = {},
): Promise<Sandbox> {
  const started: Simulator[] = [];
  async function keep(starting: Promise<Simulator>): Promise<Simulator> {
    const simulator = await starting;
    started.push(simulator);
    return simulator;
  }
  async function close(): Promise<void> {
    // The last one first: Bedrock's jobs work on S3.
    for (const simulator of started.toReversed()) await simulator.close();
  }
  try {
    const s3 = await keep(startS3Simulator(part(options, "s3")));
    const bedrock = await keep(startBedrockSimulator({
      ...part(options, "bedrock"),
      s3Endpoint: s3.url,
      region: REGION,
    }));
    const openai = await keep(startOpenAiSimulator(part(options, "openAi")));
    const gemini = await keep(startGeminiSimulator(part(options, "gemini")));
    const anthropic = await keep(
      startAnthropicSimulator(part(options, "anthropic")),
    );
    const simulators = { s3, bedrock, openai, gemini, anthropic };
    return { ...simulators, env: environmentFor(simulators), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type PartName = "s3" | "bedrock" | "openAi" | "gemini" | "anthropic";

function part(options: SandboxOptions, name: PartName): SimulatorOptions {
  const { dataDir, paceMs, listDelayMs } = options;
  const port = options[`${name}Port`];
  return {
    ...(dataDir === undefined
      ? {}
      : { dataDir: `${dataDir}/${name.toLowerCase()}` }),
    ...(paceMs === undefined ? {} : { paceMs }),
    ...(listDelayMs === undefined ? {} : { listDelayMs }),
    ...(port === undefined ? {} : { port }),
  };
}

function environmentFor(
  simulators: Omit<Sandbox, "env" | "close">,
): Record<string, string> {
  const { s3, bedrock, openai, gemini, anthropic } = simulators;
  return {
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_BEDROCK: bedrock.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: "sandbox",
    AWS_SECRET_ACCESS_KEY: "sandbox",
    BEDROCK_BATCH_ROLE_ARN: "arn:aws:iam::123456789012:role/sandbox-batch",
    OPENAI_API_KEY: "sandbox",
    OPENAI_BASE_URL: openai.url,
    GEMINI_API_KEY: "sandbox",
    GOOGLE_GEMINI_BASE_URL: gemini.url,
    ANTHROPIC_API_KEY: "sandbox",
    ANTHROPIC_BASE_URL: anthropic.url,
  };
}
