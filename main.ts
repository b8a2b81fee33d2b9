import { parseArgs } from "@std/cli";
import denoJson from "./deno.json" with { type: "json" };
import { ConfigError } from "./src/config.ts";

const USAGE = `FinOps: boto3 in, any batch provider out.

Usage: finops [COMMAND]

Commands:
  serve     Run the gateway, configured by environment variables (default)
  sandbox   Run the gateway together with simulators of every provider
  demo      Upload, start, poll and list a batch on three simulated providers
  check     Validate the configuration; --live also tries the credentials
  health    Exit 0 if the gateway on FINOPS_HOST and FINOPS_PORT answers

Options:
  -h, --help     Show help, also for a command
  -V, --version  Show the version
`;

/** What each command does, its options, and where it lives. */
const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    help: "Usage: finops serve\n\nRuns the gateway until SIGTERM or SIGINT, " +
      "then lets requests in flight finish.\nEvery setting is an environment " +
      "variable; the README lists them.\n",
    run: async () => (await import("./src/command/serve.ts")).serve(),
  },
  sandbox: {
    help: "Usage: finops sandbox [s3|bedrock|openai|gemini|anthropic " +
      "[OPTIONS]]\n\nRuns the gateway with simulators of every provider on " +
      "loopback ports; no account is needed.\nWith a name, runs that " +
      "simulator alone, as a process of its own.\n",
    run: async (args) =>
      (await import("./src/command/sandbox.ts")).sandbox(args),
  },
  demo: {
    help: "Usage: finops demo\n\nStarts a sandbox and runs upload, create, " +
      "poll, list and download for bedrock, openai and gemini.\n",
    run: async () => (await import("./src/command/demo.ts")).demo(),
  },
  check: {
    help: "Usage: finops check [--live]\n\nValidates the configuration. " +
      "--live also calls each provider once with its credentials.\n",
    run: async (args) => (await import("./src/command/check.ts")).check(args),
  },
  health: {
    help: "Usage: finops health\n\nExits 0 if the gateway that this " +
      "environment describes answers on /healthz, else 1.\n",
    run: async () => (await import("./src/command/health.ts")).health(),
  },
};

interface Command {
  readonly help: string;
  /** Resolves to the exit code. */
  run(args: string[]): Promise<number>;
}

async function main(args: string[]): Promise<number> {
  const [name = "serve", ...rest] = args[0]?.startsWith("-")
    ? ["", ...args]
    : args;
  const options = parseArgs(args, {
    boolean: ["help", "version"],
    alias: { h: "help", V: "version" },
  });
  if (options.version && name === "") {
    return print(`finops ${denoJson.version}\n`);
  }
  const command = COMMANDS[name];
  if (options.help) return print(command?.help ?? USAGE);
  if (command === undefined) {
    const what = name === "" ? `option "${args[0]}"` : `command "${name}"`;
    return complain(`finops: unknown ${what}; see finops --help`, 2);
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return complain(
      `finops: the configuration cannot work:\n${error.message}`,
      2,
    );
  }
}

function print(text: string): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
  return 0;
}

function complain(text: string, exitCode: number): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
  return exitCode;
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args));
}
