import { createApp } from "../app.ts";
import { type Config, ConfigError, readConfig } from "../config.ts";
import { createLog, type Log, writeToStdout } from "../telemetry/log.ts";
import { Drain } from "./drain.ts";
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

/**
 * Listens; the chosen address is in the first log line.
 *
 * @throws {ConfigError} where state or address cannot be had, with the fix.
 */
export async function startGateway(
  config: Config,
  log: Log,
): Promise<Gateway> {
  const app = await createApp(config, log).catch((error) => {
    throw unusable("FINOPS_DATA_DIR or FINOPS_KV", "state", error);
  });
  const drain = new Drain(app.handle);
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = listen(config, drain.handle);
  } catch (error) {
    await app.close();
    const address = `${config.host}:${config.port}`;
    throw unusable("FINOPS_HOST or FINOPS_PORT", address, error);
  }
  const { hostname, port } = server.addr;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const url = `http://${host}:${port}`;
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
      await drain.begin();
      await server.shutdown();
      await app.close();
    },
  };
}

function listen(
  { host, port }: Config,
  handle: (request: Request) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: host, port, onListen: () => {} }, handle);
}

function unusable(variable: string, what: string, cause: unknown): ConfigError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ConfigError([`${what} cannot be used (${why}); set ${variable}.`]);
}

/** Resolves at SIGTERM or SIGINT. */
export function untilSignal(log: Log): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    let asked = 0;
    Deno.addSignalListener(signal, () => {
      // Whoever asks twice does not want to wait for requests in flight.
      if (++asked > 1) Deno.exit(130);
      log.info("draining", { signal });
      resolve();
    });
  }
  return promise;
}
