import { parseArgs } from "@std/cli";
import type { Simulator, SimulatorOptions } from "./simulator.ts";

const SIMULATORS = ["s3", "bedrock", "openai", "gemini", "anthropic"] as const;

type SimulatorName = typeof SIMULATORS[number];

const USAGE =
  `usage: <${
    SIMULATORS.join("|")
  }> [--port N] [--data-dir DIR] [--pace-ms N] ` +
  "[--list-delay-ms N], and for bedrock --s3-endpoint URL [--ignore-tokens]";

const PORT_MAX = 65_535;
const DELAY_MS_MAX = 24 * 3_600_000;

/** What a command line asks for. */
interface SimulatorCall {
  readonly name: SimulatorName;
  readonly options: SimulatorOptions;
  readonly s3Endpoint: string;
  readonly ignoreTokens: boolean;
}

/** A mistake in the command line; the message is one line. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Runs one simulator until SIGTERM or SIGINT, so that it outlives a gateway
 * that is killed. Prints `{"event":"listening","url":…}` once it can be used.
 *
 * @returns The exit code: 2 for a mistake in `args`.
 */
export async function runSimulator(args: readonly string[]): Promise<number> {
  let simulator: Simulator;
  try {
    simulator = await start(parseCall(args));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await writeLine(Deno.stderr, message);
    return error instanceof UsageError ? 2 : 1;
  }
  const ended = untilSignal();
  const { url } = simulator;
  await writeLine(Deno.stdout, JSON.stringify({ event: "listening", url }));
  await ended;
  await simulator.close();
  return 0;
}

/** @throws {UsageError} */
function parseCall(args: readonly string[]): SimulatorCall {
  const parsed = parseArgs([...args], {
    boolean: ["ignore-tokens"],
    string: ["port", "data-dir", "pace-ms", "list-delay-ms", "s3-endpoint"],
    unknown(argument: string) {
      if (argument.startsWith("-")) {
        throw new UsageError(`Unknown option ${argument}; ${USAGE}`);
      }
    },
  });
  const [given, ...rest] = parsed._.map(String);
  const name = SIMULATORS.find((simulator) => simulator === given);
  if (name === undefined || rest.length > 0) throw new UsageError(USAGE);
  const s3Endpoint = parsed["s3-endpoint"] ?? "";
  const isBedrock = name === "bedrock";
  if (isBedrock && !/^https?:\/\/./.test(s3Endpoint)) {
    throw new UsageError("--s3-endpoint needs the URL of an S3 server.");
  }
  if (!isBedrock && (s3Endpoint !== "" || parsed["ignore-tokens"])) {
    throw new UsageError(
      "--s3-endpoint and --ignore-tokens are for bedrock alone.",
    );
  }
  const dataDir = parsed["data-dir"];
  if (dataDir === "") throw new UsageError("--data-dir needs a folder.");
  const options = {
    ...number(parsed.port, "port", PORT_MAX),
    ...number(parsed["pace-ms"], "paceMs", DELAY_MS_MAX),
    ...number(parsed["list-delay-ms"], "listDelayMs", DELAY_MS_MAX),
    ...(dataDir === undefined ? {} : { dataDir }),
  };
  return { name, options, s3Endpoint, ignoreTokens: parsed["ignore-tokens"] };
}

/** @throws {UsageError} unless the text is a whole number up to `max`. */
function number<Name extends string>(
  text: string | undefined,
  name: Name,
  max: number,
): Partial<Record<Name, number>> {
  if (text === undefined) return {};
  if (!/^[0-9]{1,9}$/.test(text) || Number(text) > max) {
    const option = name.replace(
      /[A-Z]/g,
      (letter) => `-${letter.toLowerCase()}`,
    );
    throw new UsageError(
      `--${option} needs a whole number from 0 to ${max}, not "${text}".`,
    );
  }
  return { [name]: Number(text) } as Record<Name, number>;
}

/** Each simulator is loaded only when asked for: the AWS SDK is large. */
async function start(call: SimulatorCall): Promise<Simulator> {
  const { name, options, s3Endpoint, ignoreTokens } = call;
  switch (name) {
    case "s3": {
      const { startS3Simulator } = await import("./s3/simulator.ts");
      return await startS3Simulator(options);
    }
    case "bedrock": {
      const { startBedrockSimulator } = await import("./bedrock/simulator.ts");
      return await startBedrockSimulator({
        ...options,
        ...credentialsFromEnvironment(),
        s3Endpoint,
        ignoreTokens,
      });
    }
    case "openai": {
      const { startOpenAiSimulator } = await import("./openai/simulator.ts");
      return await startOpenAiSimulator(options);
    }
    case "gemini": {
      const { startGeminiSimulator } = await import("./gemini/simulator.ts");
      return await startGeminiSimulator(options);
    }
    case "anthropic": {
      const module = await import("./anthropic/simulator.ts");
      return await module.startAnthropicSimulator(options);
    }
  }
}

/** An S3 server that checks signatures needs a key that it knows. */
function credentialsFromEnvironment(): {
  accessKeyId?: string;
  secretAccessKey?: string;
} {
  const accessKeyId = Deno.env.get("AWS_ACCESS_KEY_ID");
  const secretAccessKey = Deno.env.get("AWS_SECRET_ACCESS_KEY");
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  return { accessKeyId, secretAccessKey };
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    Deno.addSignalListener("SIGTERM", end);
    Deno.addSignalListener("SIGINT", end);
    function end(): void {
      Deno.removeSignalListener("SIGTERM", end);
      Deno.removeSignalListener("SIGINT", end);
      resolve();
    }
  });
}

async function writeLine(
  stream: { write(bytes: Uint8Array): Promise<number> },
  line: string,
): Promise<void> {
  await stream.write(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exit(await runSimulator(Deno.args));
