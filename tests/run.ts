/**
 * Sets up what the tests need and runs all of them: `deno task test`.
 *
 * Options: `--only deno|boto3` runs one half; `--binary PATH` (or
 * FINOPS_TEST_BINARY) tries the boto3 suite on a compiled program instead of
 * on the sources. Whatever follows `--` goes to pytest.
 */
import { parseArgs } from "node:util";
import {
  addTallies,
  parseDenoTally,
  parsePytestTally,
  type Tally,
} from "./support/tally.ts";
import { ensureVenv, readCacheFolder, SetupError } from "./support/venv.ts";

const SUITES = ["deno", "boto3"] as const;
type Suite = typeof SUITES[number];

interface Plan {
  readonly suites: readonly Suite[];
  readonly binary: string | null;
  readonly pytestArgs: readonly string[];
}

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

function parsePlan(args: string[], env: Record<string, string>): Plan {
  const { values, positionals } = parseOptions(args);
  const suites = SUITES.filter((name) =>
    values.only === undefined || values.only === name
  );
  if (suites.length === 0) {
    throw new SetupError(`--only takes ${SUITES.join(" or ")}.`);
  }
  const binary = values.binary ?? env.FINOPS_TEST_BINARY ?? "";
  return {
    suites,
    binary: binary === "" ? null : resolveBinary(binary),
    pytestArgs: positionals,
  };
}

interface Options {
  readonly values: { readonly only?: string; readonly binary?: string };
  readonly positionals: readonly string[];
}

function parseOptions(args: string[]): Options {
  try {
    return parseArgs({
      args,
      options: { only: { type: "string" }, binary: { type: "string" } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new SetupError(error instanceof Error ? error.message : `${error}`);
  }
}

function resolveBinary(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    throw new SetupError(`There is no program at ${path}: compile it first.`);
  }
}

interface SuiteRun {
  readonly command: readonly string[];
  readonly env: Record<string, string>;
  readonly parseTally: (line: string) => Tally | null;
}

function describeRun(suite: Suite, plan: Plan, python: string): SuiteRun {
  switch (suite) {
    case "deno": {
      const test = ["test", "--allow-all", "--parallel", "src", "tests", ".ci"];
      return {
        command: [Deno.execPath(), ...test],
        env: { FINOPS_TEST_PYTHON: python },
        parseTally: parseDenoTally,
      };
    }
    case "boto3":
      return {
        command: [python, "-m", "pytest", ...pytestArgs(plan)],
        env: {
          FINOPS_TEST_DENO: Deno.execPath(),
          FINOPS_TEST_BINARY: plan.binary ?? "",
          PYTHONDONTWRITEBYTECODE: "1",
        },
        parseTally: parsePytestTally,
      };
  }
}

/** The whole suite, unless the command line names files of it. */
function pytestArgs({ pytestArgs: given }: Plan): readonly string[] {
  const namesFiles = given.some((arg) => !arg.startsWith("-"));
  return namesFiles ? given : ["tests/boto3", ...given];
}

/** Runs one suite with its output shown as it comes. */
async function runSuite(run: SuiteRun): Promise<Tally> {
  const [program = "", ...args] = run.command;
  const child = new Deno.Command(program, {
    args,
    cwd: root,
    env: run.env,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let tally: Tally | null = null;
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    await Deno.stdout.write(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) tally = run.parseTally(line) ?? tally;
  }
  tally = run.parseTally(rest) ?? tally ?? { passed: 0, failed: 0 };
  const { success } = await child.status;
  // A run that broke off says so only in its exit code.
  return !success && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}

async function main(): Promise<number> {
  const env = Deno.env.toObject();
  const plan = parsePlan(Deno.args, env);
  const { python } = await ensureVenv({
    requirementsPath: `${root}/tests/boto3/requirements.txt`,
    cacheFolder: readCacheFolder(env),
    progress: say,
  });
  let total: Tally = { passed: 0, failed: 0 };
  for (const suite of plan.suites) {
    say(`Running the ${suite} tests`);
    total = addTallies(
      total,
      await runSuite(describeRun(suite, plan, python)),
    );
  }
  say(`\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

function say(line: string): void {
  // deno-lint-ignore no-console -- this is a command line's own output.
  console.log(line);
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    Deno.exit(2);
  }
}
