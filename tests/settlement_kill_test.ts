/**
 * Creations that break off between gateway and provider, by SIGKILL and by
 * time-outs: each ends as one batch and one job, never two and never none.
 * FINOPS_TEST_FULL=1 breaks 60 creations off at each point, else 8.
 */
import { assertEquals } from "@std/assert";
import {
  BATCH_PROVIDERS,
  type BatchProvider,
} from "./support/batch_provider.ts";
import {
  type Attempt,
  checkCreations,
  planAttempts,
  retryCreation,
  Wave,
} from "./support/broken_creations.ts";
import type { CutPoint } from "./support/cutting_proxy.ts";
import { GatewayClient } from "./support/gateway_client.ts";
import { Program } from "./support/program.ts";
import { ClusterProxies, ProviderCluster } from "./support/provider_cluster.ts";

const FULL = Deno.env.get("FINOPS_TEST_FULL") === "1";
/** Creations that break off at each point of each provider. */
const CREATIONS = FULL ? 60 : 8;
/** So many of them at each point share one kill. */
const CREATIONS_A_KILL = FULL ? 4 : 8;
/** An SDK client opens 50 connections at most, and all are held at once. */
const CREATIONS_AT_ONCE = 15;

/** Long enough for a loaded machine to bring all to their points. */
const SUBMIT_TIMEOUT_MS = 4_500;
/** Longer than a call lasts: clients ask again before any list can tell. */
const LIST_DELAY_MS = 5_500;
const SETTLE_MARGIN_MS = 6_500;
const END_TIMEOUT_MS = FULL ? 300_000 : 60_000;

Deno.test("a kill at any point of a creation leaves one batch and one job", async (t) => {
  await using bench = await Bench.start("kill");
  for (let first = 0; first < CREATIONS; first += CREATIONS_A_KILL) {
    const points = ["before", "accepted", "answered"] as const;
    const wave = bench.attempts(points, first, CREATIONS_A_KILL);
    await bench.killAmid(wave);
    await Promise.all(wave.map((attempt) => bench.retry(attempt)));
  }
  await bench.check(t);
});

Deno.test("a time-out at any point of a creation leaves one batch and one job", async (t) => {
  await using bench = await Bench.start("late");
  const points = ["before", "accepted", "unfinished"] as const;
  for (let first = 0; first < CREATIONS; first += CREATIONS_AT_ONCE) {
    const count = Math.min(CREATIONS_AT_ONCE, CREATIONS - first);
    const wave = bench.attempts(points, first, count);
    await bench.timeOut(wave);
    await Promise.all(wave.map((attempt) => bench.retry(attempt)));
  }
  await bench.check(t);
});

/** One gateway after another over the same state, and the providers. */
class Bench implements AsyncDisposable {
  readonly #prefix: string;
  readonly #dataDir: string;
  readonly #cluster: ProviderCluster;
  readonly #proxies: ClusterProxies;
  readonly #inputUris = new Map<string, string>();
  readonly #attempts: Attempt[] = [];
  #clients = new Map<string, GatewayClient>();
  #gateway: Program | null = null;
  #wave: Wave | null = null;

  private constructor(
    prefix: string,
    dataDir: string,
    cluster: ProviderCluster,
  ) {
    this.#prefix = prefix;
    this.#dataDir = dataDir;
    this.#cluster = cluster;
    this.#proxies = new ClusterProxies({
      cluster,
      inspects: (provider, request) => provider.isCreation(request),
      cutOf: (provider, { body }) =>
        this.#wave?.cutOf(provider.nameIn(body)) ?? null,
    });
  }

  static async start(prefix: string): Promise<Bench> {
    const dataDir = await Deno.makeTempDir({ prefix: "finops-settlement-" });
    const cluster = await ProviderCluster.start({
      listDelayMs: LIST_DELAY_MS,
      paceMs: 50,
    });
    const bench = new Bench(prefix, dataDir, cluster);
    await bench.#startGateway();
    for (const provider of BATCH_PROVIDERS) {
      const client = bench.#client(provider);
      const uri = await client.putInput("settlement.jsonl", ["record-1"]);
      bench.#inputUris.set(provider.name, uri);
    }
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forgetClients();
    await this.#gateway?.kill();
    await this.#proxies[Symbol.asyncDispose]();
    await this.#cluster[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }

  async #startGateway(): Promise<void> {
    this.#forgetClients();
    this.#gateway = await Program.start("main.ts", ["serve"], {
      ...this.#proxies.env,
      FINOPS_DATA_DIR: this.#dataDir,
      FINOPS_SUBMIT_TIMEOUT_MS: String(SUBMIT_TIMEOUT_MS),
      FINOPS_SETTLE_MARGIN_MS: String(SETTLE_MARGIN_MS),
    });
  }

  #client(provider: BatchProvider): GatewayClient {
    let client = this.#clients.get(provider.name);
    if (client === undefined) {
      client = new GatewayClient(this.#gateway?.url ?? "", provider);
      this.#clients.set(provider.name, client);
    }
    return client;
  }

  #forgetClients(): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients = new Map();
  }

  attempts(
    points: readonly CutPoint[],
    first: number,
    count: number,
  ): Attempt[] {
    const attempts = planAttempts({
      prefix: this.#prefix,
      points,
      first,
      count,
      inputUris: this.#inputUris,
    });
    this.#attempts.push(...attempts);
    return attempts;
  }

  /** Kills the gateway when every creation has come to its point. */
  async killAmid(attempts: readonly Attempt[]): Promise<void> {
    const wave = new Wave(attempts);
    this.#wave = wave;
    const ended = this.#createAll(attempts);
    await wave.allReached();
    await this.#gateway?.kill();
    await ended;
    await this.#startGateway();
  }

  /** Every creation runs into the gateway's own time-out. */
  async timeOut(attempts: readonly Attempt[]): Promise<void> {
    this.#wave = new Wave(attempts);
    const ends = await this.#createAll(attempts);
    const answered = ends.filter(({ status }) => status === "fulfilled");
    assertEquals(answered.length, 0, "a creation that was held answered");
  }

  #createAll(
    attempts: readonly Attempt[],
  ): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled(attempts.map(async (attempt) => {
      const client = this.#client(attempt.provider);
      attempt.arns.add(await client.createJob(attempt.order));
    }));
  }

  retry(attempt: Attempt): Promise<void> {
    return retryCreation(this.#client(attempt.provider), attempt);
  }

  async check(t: Deno.TestContext): Promise<void> {
    for (const provider of BATCH_PROVIDERS) {
      await t.step(provider.name, () =>
        checkCreations({
          provider,
          client: this.#client(provider),
          providerUrl: this.#cluster.urls[provider.name],
          listDelayMs: LIST_DELAY_MS,
          endTimeoutMs: END_TIMEOUT_MS,
          prefix: this.#prefix,
          attempts: this.#attempts,
        }));
    }
  }
}
