import { assertEquals } from "@std/assert";
import { addTallies, parseDenoTally, parsePytestTally } from "./tally.ts";

const DENO_LINES = [
  {
    name: "a green run",
    line: "ok | 12 passed | 0 failed (3s)",
    want: { passed: 12, failed: 0 },
  },
  {
    name: "steps and ignored tests",
    line: "FAILED | 7 passed (4 steps) | 2 failed (1 step) | 1 ignored (9ms)",
    want: { passed: 7, failed: 2 },
  },
  {
    name: "colours",
    line: "\x1b[0m\x1b[32mok\x1b[0m | 1 passed | 0 failed \x1b[90m(2s)\x1b[0m",
    want: { passed: 1, failed: 0 },
  },
  { name: "a test's own line", line: "a test ... ok (3ms)", want: null },
];

for (const { name, line, want } of DENO_LINES) {
  Deno.test(`parseDenoTally() reads ${name}`, () => {
    assertEquals(parseDenoTally(line), want);
  });
}

const PYTEST_LINES = [
  {
    name: "a green run",
    line: "31 passed in 4.20s",
    want: { passed: 31, failed: 0 },
  },
  {
    name: "failures, errors and skipped tests",
    line:
      "=== 2 failed, 30 passed, 1 skipped, 3 errors in 64.20s (0:01:04) ===",
    want: { passed: 30, failed: 5 },
  },
  {
    name: "one error",
    line: "1 passed, 1 error in 0.10s",
    want: { passed: 1, failed: 1 },
  },
  {
    name: "a progress line",
    line: "tests/boto3/test_guide.py ....  [ 12%]",
    want: null,
  },
];

for (const { name, line, want } of PYTEST_LINES) {
  Deno.test(`parsePytestTally() reads ${name}`, () => {
    assertEquals(parsePytestTally(line), want);
  });
}

Deno.test("addTallies() sums both columns", () => {
  assertEquals(
    addTallies({ passed: 1, failed: 2 }, { passed: 10, failed: 20 }),
    { passed: 11, failed: 22 },
  );
});
