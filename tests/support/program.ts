const START_TIMEOUT_MS = 60_000;
const LOG_LINES_MAX = 500;

/** Variables of whoever runs the tests must not configure the programs. */
const CONFIGURATION =
  /^(FINOPS|AWS|OPENAI|GEMINI|GOOGLE|ANTHROPIC|BEDROCK|DENO_KV)_/;

const PERMISSIONS = [
  "--allow-net",
  "--allow-env",
  "--allow-sys",
  "--allow-read",
  "--allow-write",
];

const ROOT = new URL("../../", import.meta.url);

/** A process of its own that says where it listens in a JSON line. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #lines: string[] = [];
  readonly #listening = Promise.withResolvers<string>();
  #url = "";

  private constructor(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    const kept = Object.entries(Deno.env.toObject())
      .filter(([name]) => !CONFIGURATION.test(name));
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...PERMISSIONS, new URL(script, ROOT).pathname, ...args],
      clearEnv: true,
      env: { ...Object.fromEntries(kept), ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read();
  }

  /** Starts a script of the repository, and waits until it listens. */
  static async start(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Program> {
    const program = new Program(script, args, env);
    const late = setTimeout(() => program.kill(), START_TIMEOUT_MS);
    try {
      program.#url = await program.#listening.promise;
    } finally {
      clearTimeout(late);
    }
    return program;
  }

  get url(): string {
    return this.#url;
  }

  get processId(): number {
    return this.#child.pid;
  }

  /** The last lines that it wrote. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /** Ends it as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: Deno.Signal): Promise<void> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
    await this.#reading;
    await this.#child.status;
  }

  async #read(): Promise<void> {
    const lines = this.#child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new LineStream());
    for await (const line of lines) {
      this.#lines.push(line);
      if (this.#lines.length > LOG_LINES_MAX) this.#lines.shift();
      const url = listeningUrl(line);
      if (url !== null) this.#listening.resolve(url);
    }
    this.#listening.reject(new Error(`It does not listen:\n${this.log}`));
  }
}

function listeningUrl(line: string): string | null {
  if (!line.includes('"listening"')) return null;
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== "object" || entry === null || !("url" in entry)) {
    return null;
  }
  return typeof entry.url === "string" ? entry.url.replace(/\/$/, "") : null;
}

class LineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller): void {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller): void {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
