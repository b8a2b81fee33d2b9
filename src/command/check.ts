import { parseArgs } from "@std/cli";
import { createApp } from "../app.ts";
import { readConfig } from "../config.ts";
import type { ProviderName } from "../domain/provider.ts";
import type { Providers } from "../domain/providers.ts";
import { createLog, writeToStdout } from "../telemetry/log.ts";
import { detectPlatform } from "./platform.ts";

const PROBE_TIMEOUT_MS = 15_000;

/** Prints one line a finding; exit code 1 where a live probe failed. */
export async function check(args: string[]): Promise<number> {
  const { live } = parseArgs(args, { boolean: ["live"] });
  const config = readConfig(Deno.env.toObject(), await detectPlatform());
  writeToStdout("configuration: ok\n");
  if (!live) return 0;
  const app = await createApp(config, createLog("error", writeToStdout));
  try {
    const results = await Promise.all(
      app.providers.configured().map((name) => probe(name, app.providers)),
    );
    for (const { line } of results) writeToStdout(`${line}\n`);
    return results.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    await app.close();
  }
}

async function probe(
  provider: ProviderName,
  providers: Providers,
): Promise<{ line: string; ok: boolean }> {
  try {
    const driver = await providers.driver(provider);
    await driver.probe({
      requestId: crypto.randomUUID(),
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    return { line: `${provider}: ok`, ok: true };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { line: `${provider}: ${why}`, ok: false };
  }
}
