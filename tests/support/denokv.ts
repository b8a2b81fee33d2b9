import { SetupError } from "./venv.ts";

/** The crate's version; the folder in the cache is named after it. */
export const DENOKV_VERSION = "0.14.0";

const START_TIMEOUT_MS = 30_000;
const ACCESS_TOKEN = "example-access-token";

export interface DenokvOptions {
  readonly cacheFolder: string;
  /** Told what takes long. */
  readonly progress: (line: string) => void;
}

/**
 * Finds or builds denokv, the self-hosted server of Deno KV, under the cache
 * folder, where it stays for the next time.
 *
 * @returns The program's path.
 * @throws {SetupError} where it cannot be built.
 */
export async function ensureDenokv(options: DenokvOptions): Promise<string> {
  const folder = `${options.cacheFolder}/denokv-${DENOKV_VERSION}`;
  const program = `${folder}/bin/denokv`;
  if (await exists(program)) return program;
  options.progress(`Building denokv ${DENOKV_VERSION}, once; takes minutes`);
  const version = ["--version", DENOKV_VERSION, "--locked"];
  const command = new Deno.Command("cargo", {
    args: ["install", "denokv", ...version, "--root", folder],
    stdin: "null",
  });
  const { success } = await command.output().catch((cause) => {
    throw new SetupError("denokv is built with cargo, which is not there.", {
      cause,
    });
  });
  if (!success) throw new SetupError("cargo could not build denokv.");
  return program;
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** A running denokv, whose state is gone when it ends. */
export class Denokv implements AsyncDisposable {
  /** What a gateway needs to keep its state there. */
  readonly env: Readonly<Record<string, string>>;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(child: Deno.ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.env = {
      FINOPS_KV: `http://127.0.0.1:${port}`,
      DENO_KV_ACCESS_TOKEN: ACCESS_TOKEN,
    };
  }

  static async start(program: string): Promise<Denokv> {
    const folder = await Deno.makeTempDir({ prefix: "finops-denokv-" });
    const port = freePort();
    const child = new Deno.Command(program, {
      args: [
        ...["--sqlite-path", `${folder}/kv.sqlite`, "serve"],
        ...["--access-token", ACCESS_TOKEN, "--addr", `127.0.0.1:${port}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const denokv = new Denokv(child, folder, port);
    await untilListening(port);
    return denokv;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function untilListening(port: number): Promise<void> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
