import { createAuthenticator } from "./auth/authenticator.ts";
import { createDigest } from "./auth/digest.ts";
import { CONTROL_PREFIX } from "./bedrock/call.ts";
import { handleControl } from "./bedrock/handler.ts";
import type { Config } from "./config.ts";
import type { Principal } from "./domain/context.ts";
import { createCopySources } from "./domain/copies/copy_sources.ts";
import { createFileObjects } from "./domain/files/file_service.ts";
import { createSoleLeases, type Leases } from "./domain/jobs/job_leases.ts";
import { JobService } from "./domain/jobs/job_service.ts";
import { Reconciler } from "./domain/jobs/reconciler.ts";
import { createResultObjects } from "./domain/jobs/result_objects.ts";
import type { ObjectStore } from "./domain/object_store.ts";
import {
  createProviders,
  type Providers,
  type ProviderSetup,
} from "./domain/providers.ts";
import { PeriodicWork } from "./domain/periodic_work.ts";
import type { ProviderName } from "./domain/provider.ts";
import { UploadService } from "./domain/uploads/upload_service.ts";
import { DRIVERS } from "./drivers/registry.ts";
import { answerHealth, answerReadiness } from "./http/health.ts";
import { below, createRouter, type Route } from "./http/router.ts";
import { createFileIndex } from "./kv/file_index.ts";
import { createKvLeases } from "./kv/job_leases.ts";
import { createJobStore } from "./kv/job_store.ts";
import { openKv } from "./kv/open.ts";
import { createUploadIndex } from "./kv/upload_index.ts";
import { mayReach } from "./s3/access.ts";
import { S3_PATH } from "./s3/call.ts";
import { handleS3 } from "./s3/handler.ts";
import type { Log } from "./telemetry/log.ts";

/** Between two looks at a provider with open jobs; see `Reconciler`. */
const RECONCILE_INTERVAL_MS = 2_000;
const RECONCILE_PAUSE_MAX_MS = 60_000;
const SWEEP_INTERVAL_MS = 60_000;

/** The whole gateway, put together from its configuration. */
export interface App {
  handle(request: Request): Promise<Response>;
  /** Starts the work that no request drives. */
  start(): void;
  readonly providers: Providers;
  /** Ends background work, then closes what was opened. */
  close(): Promise<void>;
}

/** The one place that knows every part. */
export async function createApp(config: Config, log: Log): Promise<App> {
  const kv = await openKv(config.kv, config.dataDir);
  const store = await openObjectStore(config);
  const providers = createProviders({
    setups: providerSetups(config),
    buckets: config.buckets,
    defaultProvider: config.defaultProvider,
  });
  const jobStore = createJobStore(kv);
  const now = () => new Date();
  const shared = {
    store: jobStore,
    providers,
    objects: store,
    leases: openLeases(config, kv),
    log,
    now,
    timing: config.timing,
  };
  const fileIndex = createFileIndex(kv);
  const files = createFileObjects({
    drivers: (provider) => providers.driver(provider),
    index: fileIndex,
    store,
    results: createResultObjects(shared),
    ownsFile: async ({ principal }, provider, fileId) =>
      await jobStore.ownerOfFile(provider, fileId) === principal.tenant,
    now,
  });
  const uploads = new UploadService({
    index: createUploadIndex(kv),
    fileIndex,
    files: files.writer,
    store,
    createSum: createDigest,
    log,
  });
  const sources = createCopySources({
    files,
    providers,
    mayRead: (principal, { bucket, key }) =>
      mayReach(principal, bucket, { kind: "key", key }),
  });
  const jobs = new JobService({ ...shared, inputs: files });
  const reconciler = new Reconciler({
    jobs,
    store: jobStore,
    leases: shared.leases,
    providers: () =>
      providers.configured().filter((name) => name !== "anthropic"),
    log,
    intervalMs: RECONCILE_INTERVAL_MS,
    pauseMaxMs: RECONCILE_PAUSE_MAX_MS,
  });
  const sweep = new PeriodicWork({
    name: "abandoned uploads",
    intervalMs: SWEEP_INTERVAL_MS,
    work: async () => {
      await uploads.sweep();
    },
    log,
  });
  const authenticator = createAuthenticator({
    credentials: config.credentials,
    anonymous: config.open ? ANYONE : null,
  });
  const routes: Route[] = [
    {
      name: "s3",
      matches: below(S3_PATH),
      handle: (request, base) =>
        handleS3(request, base, {
          authenticator,
          files,
          uploads,
          sources,
          resolveDriver: ({ headers, principal, bucket }) =>
            providers.driver(providers.choose({
              header: headers.get("x-model-provider"),
              bucket,
              principal,
            })),
          defaultRegion: config.region,
          bucketsOf: (provider) => providers.bucketsOf(provider),
          log,
        }),
    },
    {
      name: "bedrock",
      matches: below(CONTROL_PREFIX),
      handle: (request, base) =>
        handleControl(request, base, {
          authenticator,
          providers,
          jobs,
          defaultRegion: config.region,
          log,
        }),
    },
    { name: "health", matches: below("/healthz"), handle: answerHealth },
    {
      name: "health",
      matches: below("/readyz"),
      handle: () => answerReadiness({ kv, store, providers }),
    },
  ];
  return {
    handle: createRouter({ routes, fallback: notFound, log }),
    start: () => {
      reconciler.start();
      sweep.start();
    },
    providers,
    close: async () => {
      await Promise.all([reconciler.close(), sweep.close()]);
      await jobs.drain();
      await uploads.drain();
      await providers.close();
      await store?.close();
      kv.close();
    },
  };
}

/** With no credentials configured everyone is an admin of one tenant. */
const ANYONE: Principal = {
  tenant: "default",
  accessKeyId: null,
  admin: true,
  providers: null,
  defaultProvider: null,
  buckets: ["*"],
};

/** One process owns a local file, and need not wait for a dead one's lease. */
function openLeases(config: Config, kv: Deno.Kv): Leases {
  return config.kv.kind === "local" ? createSoleLeases() : createKvLeases(kv);
}

async function openObjectStore(config: Config): Promise<ObjectStore | null> {
  const { objectStore } = config;
  switch (objectStore.kind) {
    case "none":
      return null;
    case "file": {
      const { openFileObjectStore } = await import(
        "./object_store/file_store.ts"
      );
      return await openFileObjectStore({
        directory: `${config.dataDir}/objects`,
      });
    }
    case "s3": {
      const { createS3ObjectStore } = await import(
        "./object_store/s3_store.ts"
      );
      return createS3ObjectStore({
        bucket: objectStore.bucket,
        prefix: objectStore.prefix,
        region: config.region,
        endpoint: config.bedrock.s3Endpoint,
      });
    }
  }
}

function providerSetups(
  config: Config,
): Readonly<Record<ProviderName, ProviderSetup>> {
  const { bedrock, openai, gemini, anthropic } = config;
  return {
    bedrock: { on: true, open: () => DRIVERS.bedrock(bedrock) },
    openai: openai === null
      ? off("openai", "OPENAI_API_KEY")
      : { on: true, open: () => DRIVERS.openai(openai) },
    gemini: gemini === null
      ? off("gemini", "GEMINI_API_KEY")
      : { on: true, open: () => DRIVERS.gemini(gemini) },
    anthropic: anthropic === null
      ? anthropicOff()
      : { on: true, open: () => DRIVERS.anthropic(anthropic) },
  };
}

function anthropicOff(): ProviderSetup {
  const { reason } = off("anthropic", "ANTHROPIC_API_KEY");
  return { on: false, reason, open: () => DRIVERS.anthropicWithoutKey(reason) };
}

function off(
  provider: ProviderName,
  variable: string,
): ProviderSetup & { readonly on: false } {
  const reason = `The provider "${provider}" is not configured on this ` +
    `gateway: set ${variable}.`;
  return { on: false, reason };
}

function notFound(): Response {
  return Response.json({
    message: "Nothing is served here. boto3's s3 client belongs on " +
      "/bedrock/files, its bedrock client on /bedrock.",
  }, { status: 404 });
}
