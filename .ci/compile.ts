/**
 * Makes the single program `dist/finops`: `deno task compile`.
 *
 * Options: `--output PATH`; `--toolchain own` (the Deno at hand and nothing
 * else), `pypi` (see toolchain.ts), or `auto`, the default, which falls back
 * to `pypi` where the runtime of the Deno at hand cannot be downloaded.
 */
import { parseArgs } from "node:util";
import { readCacheFolder, SetupError } from "../tests/support/venv.ts";
import {
  ensurePypiToolchain,
  OWN_TOOLCHAIN,
  type Toolchain,
} from "./toolchain.ts";

const TOOLCHAINS = ["auto", "own", "pypi"] as const;

/** Each permission by its name: no subprocesses, no foreign code. */
const PERMISSIONS = [
  "--allow-net",
  "--allow-env",
  "--allow-sys",
  "--allow-read",
  "--allow-write",
];

/**
 * Bodies pass through as short-lived buffers outside V8's heap, which it
 * notices late: with its defaults some 100 MiB of them wait to be collected.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=2,--optimize-for-size";

/**
 * What npm packages are given by Node, and a bundle must give itself: a
 * `require` for Node's own modules, and timers that are objects.
 */
const NODE_GLOBALS = [
  'import { createRequire } from "node:module";',
  "import { clearImmediate, clearInterval, clearTimeout, setImmediate,",
  'setInterval, setTimeout } from "node:timers";',
  "const require = createRequire(import.meta.url);\n",
].join(" ");

const root = new URL("..", import.meta.url).pathname;

interface Outcome {
  readonly success: boolean;
  readonly output: string;
}

async function deno(toolchain: Toolchain, args: string[]): Promise<Outcome> {
  const result = await new Deno.Command(toolchain.deno, {
    args,
    cwd: root,
    env: { ...toolchain.env, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(result.stdout) + decoder.decode(result.stderr);
  return { success: result.success, output: output.trim() };
}

/**
 * Bundles first: a program compiled from one file starts faster, is half as
 * large and uses half the memory of one compiled from the npm module graph.
 */
async function compile(toolchain: Toolchain, path: string): Promise<Outcome> {
  const folder = await Deno.makeTempDir({ prefix: "finops-compile-" });
  try {
    const bundle = `${folder}/finops.js`;
    const bundled = await deno(toolchain, [
      "bundle",
      "--platform=deno",
      "--minify",
      "main.ts",
      "-o",
      bundle,
    ]);
    if (!bundled.success) return bundled;
    const source = await Deno.readTextFile(bundle);
    await Deno.writeTextFile(bundle, NODE_GLOBALS + source);
    return await deno(toolchain, [
      "compile",
      "--no-check",
      "--no-config",
      ...PERMISSIONS,
      "--unstable-kv",
      V8_FLAGS,
      ...await listIdentityFlags(toolchain),
      "-o",
      path,
      bundle,
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Newer versions can pin the name under which a program keeps its data. */
async function listIdentityFlags(toolchain: Toolchain): Promise<string[]> {
  const help = await deno(toolchain, ["compile", "--help"]);
  return help.output.includes("--app-name") ? ["--app-name", "finops"] : [];
}

async function makeBinary(choice: string, path: string): Promise<string> {
  if (choice !== "pypi") {
    const own = await compile(OWN_TOOLCHAIN, path);
    if (own.success) return OWN_TOOLCHAIN.name;
    const lacksRuntime = own.output.includes("denort");
    if (choice === "own" || !lacksRuntime) throw new SetupError(own.output);
    say("Deno's own runtime cannot be downloaded: trying PyPI's toolchain.");
  }
  const cacheFolder = readCacheFolder(Deno.env.toObject());
  const toolchain = await ensurePypiToolchain(cacheFolder, say);
  const outcome = await compile(toolchain, path);
  if (!outcome.success) throw new SetupError(outcome.output);
  return toolchain.name;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      toolchain: { type: "string", default: "auto" },
      output: { type: "string", default: `${root}dist/finops` },
    },
  });
  const choice = TOOLCHAINS.find((name) => name === values.toolchain);
  if (choice === undefined) {
    throw new SetupError(`--toolchain takes ${TOOLCHAINS.join(", ")}.`);
  }
  const name = await makeBinary(choice, values.output);
  const { size } = await Deno.stat(values.output);
  const sizeMiB = Math.round(size / 2 ** 20);
  say(`Compiled ${values.output} with ${name}: ${sizeMiB} MiB`);
}

function say(line: string): void {
  // deno-lint-ignore no-console -- this is a command line's own output.
  console.log(line);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    say(error instanceof SetupError ? error.message : `${error.stack}`);
    Deno.exit(1);
  }
}
