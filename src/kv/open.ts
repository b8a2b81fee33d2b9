import type { KvConfig } from "../config.ts";

/**
 * Opens the state. A local file is made with its folder; a KV Connect server
 * takes its token from DENO_KV_ACCESS_TOKEN, which Deno reads by itself.
 */
export async function openKv(
  config: KvConfig,
  dataDir: string,
): Promise<Deno.Kv> {
  switch (config.kind) {
    case "deploy":
      return await Deno.openKv();
    case "remote":
      return await Deno.openKv(config.url);
    case "local":
      await Deno.mkdir(dataDir, { recursive: true });
      return await Deno.openKv(`${dataDir}/state.sqlite3`);
  }
}
