/**
 * Several gateways over one denokv: `deno task test:replicas`. Builds denokv
 * the first time. Arguments go to `deno test`, such as `--filter`.
 */
import { ensureDenokv } from "../support/denokv.ts";
import { runSuite } from "../support/suite.ts";
import { parseDenoTally } from "../support/tally.ts";
import { readCacheFolder, SetupError } from "../support/venv.ts";

async function main(): Promise<number> {
  const given = Deno.env.get("FINOPS_TEST_DENOKV") ?? "";
  const denokv = given !== "" ? given : await ensureDenokv({
    cacheFolder: readCacheFolder(Deno.env.toObject()),
    progress: say,
  });
  const folder = new URL(".", import.meta.url).pathname;
  const { passed, failed } = await runSuite({
    command: [Deno.execPath(), "test", "--allow-all", ...Deno.args, folder],
    cwd: new URL("../..", import.meta.url).pathname,
    env: { FINOPS_TEST_DENOKV: denokv },
    parseTally: parseDenoTally,
  });
  say(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
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
