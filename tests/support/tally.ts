/** How many tests ran, and how they ended. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

export function addTallies(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed };
}

/**
 * Reads the closing line of `deno test`, such as
 * `FAILED | 12 passed (3 steps) | 1 failed (2s)`; null for any other line.
 */
export function parseDenoTally(line: string): Tally | null {
  const match = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed/.exec(
    stripColours(line),
  );
  if (match === null) return null;
  return { passed: Number(match[1]), failed: Number(match[2]) };
}

/**
 * Reads the closing line of pytest, such as
 * `2 failed, 30 passed, 1 skipped, 1 error in 4.2s`; null for any other line.
 * An error in a fixture counts as a failure.
 */
export function parsePytestTally(line: string): Tally | null {
  const text = stripColours(line).replaceAll("=", "").trim();
  if (!/^(\d+ [a-z]+(, )?)+ in [\d.]+s/.test(text)) return null;
  const count = (word: string): number =>
    Number(new RegExp(`(\\d+) ${word}`).exec(text)?.[1] ?? 0);
  return {
    passed: count("passed"),
    failed: count("failed") + count("errors?"),
  };
}

function stripColours(line: string): string {
  // deno-lint-ignore no-control-regex -- colours begin with ESC.
  return line.replaceAll(/\x1b\[[0-9;]*m/g, "");
}
