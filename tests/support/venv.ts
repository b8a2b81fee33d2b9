/** What a person can mend; shown as one line, without a stack. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** A virtual environment that is whole. */
export interface Venv {
  readonly python: string;
  /** Folder of the programs that its packages brought. */
  readonly binFolder: string;
}

export interface VenvOptions {
  /** A pip requirements file; its text and the Python decide the folder. */
  readonly requirementsPath: string;
  readonly cacheFolder: string;
  /** Told when something slow begins. */
  readonly progress: (line: string) => void;
}

interface Python {
  readonly command: string;
  /** Differs between installations and versions. */
  readonly identity: string;
}

const PYTHON_COMMANDS = ["python3", "python"];

/**
 * The folder for whatever is made once and reused, outside the checkout:
 * `FINOPS_CACHE_DIR`, else `finops` in `XDG_CACHE_HOME`, else in `~/.cache`.
 *
 * @throws {SetupError} where no variable says where that is.
 */
export function readCacheFolder(env: Record<string, string>): string {
  if (env.FINOPS_CACHE_DIR) return env.FINOPS_CACHE_DIR;
  if (env.XDG_CACHE_HOME) return `${env.XDG_CACHE_HOME}/finops`;
  const home = env.HOME ?? env.USERPROFILE;
  if (!home) {
    throw new SetupError(
      "Cannot tell where to keep the tests' Python packages: set FINOPS_CACHE_DIR.",
    );
  }
  return `${home}/.cache/finops`;
}

/**
 * Finds or makes the virtual environment for a requirements file. It is built
 * under a name of its own and then renamed, so that it is whole or absent,
 * whoever else builds the same one at the same moment.
 *
 * @throws {SetupError} where Python, venv or a package cannot be had.
 */
export async function ensureVenv(options: VenvOptions): Promise<Venv> {
  const python = await findPython();
  const requirements = await Deno.readTextFile(options.requirementsPath);
  const name = await digest(`${python.identity}\n${requirements}`);
  const folder = `${options.cacheFolder}/venvs/${name}`;
  if (!await exists(folder)) {
    options.progress(`Making a Python environment in ${folder}`);
    await build(python, options.requirementsPath, folder);
  }
  const binFolder = `${folder}/${
    Deno.build.os === "windows" ? "Scripts" : "bin"
  }`;
  return { python: `${binFolder}/python`, binFolder };
}

async function findPython(): Promise<Python> {
  const script = "import sys; print(sys.executable, sys.version);" +
    "sys.exit(sys.version_info < (3, 9))";
  let tooOld = "";
  for (const command of PYTHON_COMMANDS) {
    const found = await run([command, "-c", script]);
    if (found === null) continue;
    if (found.success) return { command, identity: found.output };
    tooOld = found.output;
  }
  throw new SetupError(
    tooOld === ""
      ? "The tests need Python 3.9 or newer: no python3 is on the PATH."
      : `The tests need Python 3.9 or newer; found ${tooOld}`,
  );
}

async function build(
  python: Python,
  requirementsPath: string,
  folder: string,
): Promise<void> {
  const draft = `${folder}.${crypto.randomUUID()}.draft`;
  await Deno.mkdir(draft, { recursive: true });
  try {
    await step([python.command, "-m", "venv", draft], VENV_ADVICE);
    const draftPython = Deno.build.os === "windows"
      ? `${draft}/Scripts/python`
      : `${draft}/bin/python`;
    const install = ["-m", "pip", "install", "--quiet"];
    const quiet = ["--disable-pip-version-check", "--no-input"];
    await step(
      [draftPython, ...install, ...quiet, "-r", requirementsPath],
      PIP_ADVICE,
    );
    await publish(draft, folder);
  } finally {
    await Deno.remove(draft, { recursive: true }).catch(ignoreAbsent);
  }
}

const VENV_ADVICE =
  "Python's venv module does not work (on Debian and Ubuntu: apt install python3-venv)";
const PIP_ADVICE = "Cannot install the Python packages";

async function step(command: string[], advice: string): Promise<void> {
  const result = await run(command);
  if (result?.success) return;
  const reason = result?.output.split("\n").at(-1) ?? "it cannot be started";
  throw new SetupError(`${advice}: ${reason}`);
}

async function publish(draft: string, folder: string): Promise<void> {
  try {
    await Deno.rename(draft, folder);
  } catch (error) {
    // Someone else was faster, and theirs is as good.
    if (!await exists(folder)) throw error;
  }
}

/** Null where there is no such program. */
async function run(
  command: string[],
): Promise<{ success: boolean; output: string } | null> {
  const [program = "", ...args] = command;
  try {
    const result = await new Deno.Command(program, { args, stdin: "null" })
      .output();
    const text = new TextDecoder();
    const output = text.decode(result.stdout) + text.decode(result.stderr);
    return { success: result.success, output: output.trim() };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Whether there is anything at that path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    ignoreAbsent(error);
    return false;
  }
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

async function digest(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return hash.toHex().slice(0, 16);
}
