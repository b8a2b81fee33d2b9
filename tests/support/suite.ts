import type { Tally } from "./tally.ts";

export interface SuiteRun {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Null for a line that says nothing of how many tests passed. */
  readonly parseTally: (line: string) => Tally | null;
}

/** Runs one suite with its output shown as it comes. */
export async function runSuite(run: SuiteRun): Promise<Tally> {
  const [program = "", ...args] = run.command;
  const child = new Deno.Command(program, {
    args,
    cwd: run.cwd,
    env: { ...run.env },
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
