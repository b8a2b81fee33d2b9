import type { Platform } from "../config.ts";

/** The machine this process runs on; see `Platform`. */
export async function detectPlatform(): Promise<Platform> {
  const write = await Deno.permissions.query({ name: "write" });
  return {
    denoDeploy: Deno.env.get("DENO_DEPLOYMENT_ID") !== undefined ||
      Deno.env.get("DENO_DEPLOY") !== undefined,
    canWriteFiles: write.state === "granted",
    readFile: (path) => Deno.readTextFileSync(path),
  };
}
