/** How long Python may take to import moto on a busy machine. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/**
 * moto's log goes to a file: a pipe would have to be read all the time, which
 * tests that look for leaks would take for one.
 */
const SCRIPT = `
import sys
sys.stderr = open(sys.argv[1], "w", buffering=1)
from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
`;

/** moto's server in a process of its own, on a port that was free. */
export class MotoServer implements AsyncDisposable {
  readonly url: string;
  readonly #process: Deno.ChildProcess;
  readonly #directory: string;

  private constructor(
    url: string,
    process: Deno.ChildProcess,
    directory: string,
  ) {
    this.url = url;
    this.#process = process;
    this.#directory = directory;
  }

  /** @param python An interpreter that has moto's server. */
  static async start(python: string): Promise<MotoServer> {
    const directory = await Deno.makeTempDir();
    const logPath = `${directory}/log`;
    const process = new Deno.Command(python, {
      args: ["-c", SCRIPT, logPath],
      env: { PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      return new MotoServer(await readUrl(logPath), process, directory);
    } catch (error) {
      process.kill("SIGKILL");
      await process.status;
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  /** Forgets every bucket. */
  async reset(): Promise<void> {
    const response = await fetch(`${this.url}/moto-api/reset`, {
      method: "POST",
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`moto answered ${response.status}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

async function readUrl(logPath: string): Promise<string> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  let log = "";
  while (Date.now() < deadlineMs) {
    log = await Deno.readTextFile(logPath).catch(() => "");
    const url = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(log)?.[1];
    if (url !== undefined) return url;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`moto does not start: ${log.slice(-1_000)}`);
}
