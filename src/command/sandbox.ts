import { type Config, readConfig } from "../config.ts";
import { createLog, type Log, writeToStdout } from "../telemetry/log.ts";
import { runSimulator } from "../sandbox/main.ts";
import { startSandbox } from "../sandbox/sandbox.ts";
import { detectPlatform } from "./platform.ts";
import { type Gateway, startGateway, untilSignal } from "./serve.ts";

/** Real batches take minutes to hours; these should be seen to move. */
const PACE_MS_DEFAULT = 1_000;

/** Runs gateway and simulators until a signal ends them; see `main.ts`. */
export async function sandbox(args: string[]): Promise<number> {
  if (args.length > 0) return await runSimulator(args);
  const running = await startSandboxedGateway((config) =>
    createLog(config.logLevel, writeToStdout)
  );
  await untilSignal(running.log);
  await running.close();
  return 0;
}

export interface SandboxedGateway extends Gateway {
  readonly log: Log;
}

/**
 * A gateway whose every provider is a simulator. The environment's own
 * FINOPS_* settings hold; what names providers is overruled.
 */
export async function startSandboxedGateway(
  openLog: (config: Config) => Log,
): Promise<SandboxedGateway> {
  const paceMs = Number(Deno.env.get("FINOPS_SANDBOX_PACE_MS") ?? "");
  const simulators = await startSandbox({
    paceMs: paceMs > 0 ? paceMs : PACE_MS_DEFAULT,
  });
  // The AWS SDK reads its credentials from the process's own environment.
  for (const [name, value] of Object.entries(simulators.env)) {
    Deno.env.set(name, value);
  }
  const given = Deno.env.get("FINOPS_DATA_DIR") ?? "";
  const dataDir = given !== ""
    ? given
    : await Deno.makeTempDir({ prefix: "finops-sandbox-" });
  const environment = { ...Deno.env.toObject(), FINOPS_DATA_DIR: dataDir };
  const config = readConfig(environment, await detectPlatform());
  const log = openLog(config);
  const gateway = await startGateway(config, log);
  return {
    url: gateway.url,
    log,
    close: async () => {
      await gateway.close();
      await simulators.close();
      if (given === "") await Deno.remove(dataDir, { recursive: true });
    },
  };
}
