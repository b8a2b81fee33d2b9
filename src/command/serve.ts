import { createApp } from "../app.ts";
import { type Config, readConfig } from "../config.ts";
import { createLog, type Log, writeToStdout } from "../telemetry/log.ts";
import { detectPlatform } from "./platform.ts";

/** Runs the gateway until a signal ends it; see `main.ts`. */
export async function serve(): Promise<number> {
  const config = readConfig(Deno.env.toObject(), await detectPlatform());
  const log = createLog(config.logLevel, writeToStdout);
  const server = await startGateway(config, log);
  await untilSignal(log);
  await server.close();
  return 0;
}

export interface Gateway {
  readonly url: string;
  /** Takes no new connections, lets requests in flight finish, then ends. */
  close(): Promise<void>;
}

/** Listens; the chosen address is in the first log line. */
export async function startGateway(
  config: Config,
  log: Log,
): Promise<Gateway> {
  const app = await createApp(config, log);
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const server = Deno.serve({
    hostname: config.host,
    port: config.port,
    onListen: ({ hostname, port }) => {
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      resolve(`http://${host}:${port}`);
    },
  }, app.handle);
  const url = await listening;
  log.info("listening", {
    url,
    providers: app.providers.configured(),
    kv: config.kv.kind,
    objectStore: config.objectStore.kind,
    authentication: config.open ? "open" : "credentials",
  });
  app.start();
  return {
    url,
    close: async () => {
      await server.shutdown();
      await app.close();
    },
  };
}

/** Resolves at SIGTERM or SIGINT. */
export function untilSignal(log: Log): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      log.info("draining", { signal });
      resolve();
    });
  }
  return promise;
}
