/**
 * Creations that break off between gateway and provider, by SIGKILL and by
 * time-outs: each ends as one batch and one job, never two and never none.
 * FINOPS_TEST_FULL=1 breaks 60 creations off at each point, else 8.
 */
import { assert, assertEquals } from "@std/assert";
import {
  BATCH_PROVIDERS,
  type BatchProvider,
} from "./support/batch_provider.ts";
import type { Cut, CutPoint } from "./support/cutting_proxy.ts";
import { GatewayClient, type JobOrder } from "./support/gateway_client.ts";
import { Program } from "./support/program.ts";
import { ClusterProxies, ProviderCluster } from "./support/provider_cluster.ts";

const FULL = Deno.env.get("FINOPS_TEST_FULL") === "1";
/** Creations that break off at each point of each provider. */
const CREATIONS = FULL ? 60 : 8;
/** So many of them at each point share one kill. */
const CREATIONS_A_KILL = FULL ? 4 : 8;

/** Long enough for a loaded machine to bring all to their points. */
const SUBMIT_TIMEOUT_MS = 6_000;
const LIST_DELAY_MS = 1_500;
const SETTLE_MARGIN_MS = 2_500;
const REACH_TIMEOUT_MS = 30_000;
const RETRY_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = FULL ? 300_000 : 60_000;

const KILL_POINTS = ["before", "accepted", "answered"] as const;
const TIMEOUT_POINTS = ["before", "accepted", "unfinished"] as const;

/** One creation that is to break off. */
interface Attempt {
  readonly provider: BatchProvider;
  readonly point: CutPoint;
  readonly order: JobOrder;
  /** What the client was told the job is, by each call that answered. */
  readonly arns: Set<string>;
}

Deno.test("a kill at any point of a creation leaves one batch and one job", async (t) => {
  await using bench = await Bench.start("kill");
  for (let first = 0; first < CREATIONS; first += CREATIONS_A_KILL) {
    const wave = bench.attempts(KILL_POINTS, first, CREATIONS_A_KILL);
    await bench.killAmid(wave);
    await Promise.all(wave.map((attempt) => bench.retry(attempt)));
  }
  await bench.check(t);
});

Deno.test("a time-out at any point of a creation leaves one batch and one job", async (t) => {
  await using bench = await Bench.start("late");
  const attempts = bench.attempts(TIMEOUT_POINTS, 0, CREATIONS);
  await bench.timeOut(attempts);
  await Promise.all(attempts.map((attempt) => bench.retry(attempt)));
  await bench.check(t);
});

/** The exchanges that are to break off, and how many have come to that. */
class Wave {
  readonly #attempts = new Map<string, Attempt>();
  readonly #all = Promise.withResolvers<void>();
  #outstanding: number;

  constructor(attempts: readonly Attempt[]) {
    this.#outstanding = attempts.length;
    for (const attempt of attempts) {
      this.#attempts.set(attempt.order.jobName, attempt);
    }
  }

  /** Only the first exchange for each job breaks off. */
  cutOf(jobName: string | null): Cut | null {
    const attempt = this.#attempts.get(jobName ?? "");
    if (attempt === undefined) return null;
    this.#attempts.delete(attempt.order.jobName);
    const never = Promise.withResolvers<void>().promise;
    return {
      point: attempt.point,
      reached: () => {
        this.#arrive();
        // A dead or impatient gateway hangs up, and that ends the exchange.
        return attempt.point === "answered" ? this.#all.promise : never;
      },
      passed: () => {},
    };
  }

  #arrive(): void {
    if (--this.#outstanding === 0) this.#all.resolve();
  }

  /** Rejects where some creation never comes to its point. */
  async allReached(): Promise<void> {
    const late = setTimeout(() => {
      const missing = [...this.#attempts.keys()].join(", ");
      this.#all.reject(new Error(`Not at their points: ${missing}`));
    }, REACH_TIMEOUT_MS);
    await this.#all.promise.finally(() => clearTimeout(late));
  }
}

class Bench implements AsyncDisposable {
  readonly #prefix: string;
  readonly #dataDir: string;
  readonly #cluster: ProviderCluster;
  readonly #proxies: ClusterProxies;
  readonly #inputs = new Map<string, string>();
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
      bench.#inputs.set(provider.name, uri);
    }
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    await this.#gateway?.kill();
    await this.#proxies[Symbol.asyncDispose]();
    await this.#cluster[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }

  async #startGateway(): Promise<void> {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
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

  /** `count` creations at each point of each provider, numbered from `first`. */
  attempts(
    points: readonly CutPoint[],
    first: number,
    count: number,
  ): Attempt[] {
    const attempts = BATCH_PROVIDERS.flatMap((provider) =>
      points.flatMap((point) =>
        Array.from({ length: count }, (_, index): Attempt => {
          const number = first + index;
          const jobName = [this.#prefix, provider.name, point, number]
            .join("-");
          return {
            provider,
            point,
            order: {
              jobName,
              clientRequestToken: `token-${jobName}`,
              inputUri: this.#inputs.get(provider.name) ?? "",
            },
            arns: new Set(),
          };
        })
      )
    );
    this.#attempts.push(...attempts);
    return attempts;
  }

  /** Kills the gateway when every creation has come to its point. */
  async killAmid(attempts: readonly Attempt[]): Promise<void> {
    const wave = new Wave(attempts);
    this.#wave = wave;
    const calls = attempts.map((attempt) => this.#create(attempt));
    const ended = Promise.allSettled(calls);
    await wave.allReached();
    await this.#gateway?.kill();
    await ended;
    await this.#startGateway();
  }

  /** Every creation runs into the gateway's own time-out. */
  async timeOut(attempts: readonly Attempt[]): Promise<void> {
    this.#wave = new Wave(attempts);
    const calls = attempts.map((attempt) => this.#create(attempt));
    const ends = await Promise.allSettled(calls);
    const answered = ends.filter(({ status }) => status === "fulfilled");
    assertEquals(answered.length, 0, "a creation that was held answered");
  }

  async #create(attempt: Attempt): Promise<void> {
    const client = this.#client(attempt.provider);
    attempt.arns.add(await client.createJob(attempt.order));
  }

  /** The client asks again with the same token until it is told an ARN. */
  async retry(attempt: Attempt): Promise<void> {
    const deadlineMs = Date.now() + RETRY_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.#create(attempt);
      } catch (error) {
        if (Date.now() > deadlineMs) throw error;
        await pause(250);
      }
    }
  }

  /** Waits for the end of every job, then counts on both sides. */
  async check(t: Deno.TestContext): Promise<void> {
    for (const provider of BATCH_PROVIDERS) {
      await t.step(provider.name, () => this.#checkProvider(provider));
    }
  }

  async #checkProvider(provider: BatchProvider): Promise<void> {
    const mine = this.#attempts.filter((attempt) =>
      attempt.provider === provider
    );
    const wanted = mine.map(({ order }) => order.jobName).sort();
    const client = this.#client(provider);
    await this.#awaitEnds(client, wanted.length);
    // Whatever was started last must have become visible too.
    await pause(LIST_DELAY_MS);
    const url = this.#cluster.urls[provider.name];
    const batches = (await provider.listBatches(url))
      .filter(({ jobName }) => jobName.startsWith(`${this.#prefix}-`));
    assertEquals(batches.map(({ jobName }) => jobName).sort(), wanted);
    const jobs = await client.listJobs(`${this.#prefix}-`);
    assertEquals(jobs.map(({ jobName }) => jobName ?? "").sort(), wanted);
    assertEquals(
      new Set(jobs.map(({ status }) => status)),
      new Set(["Completed"]),
    );
    await this.#checkJoins(client, mine, batches);
  }

  /** Each job is joined to its own batch, under the one ARN given out. */
  async #checkJoins(
    client: GatewayClient,
    attempts: readonly Attempt[],
    batches: readonly { readonly id: string; readonly jobName: string }[],
  ): Promise<void> {
    const nativeIds = new Map(batches.map(({ id, jobName }) => [jobName, id]));
    for (const { order, arns } of attempts) {
      const job = await client.getJob(nativeIds.get(order.jobName) ?? "");
      assertEquals(job.jobName, order.jobName);
      assertEquals([...arns], [job.jobArn], `ARNs of ${order.jobName}`);
    }
  }

  async #awaitEnds(client: GatewayClient, count: number): Promise<void> {
    const deadlineMs = Date.now() + END_TIMEOUT_MS;
    for (;;) {
      const jobs = await client.listJobs(`${this.#prefix}-`);
      const ended = jobs.filter(({ endTime }) => endTime !== undefined);
      if (ended.length >= count) return;
      const open = jobs.length - ended.length;
      assert(
        Date.now() < deadlineMs,
        `${open} of ${jobs.length} jobs have not ended:\n${this.#gateway?.log}`,
      );
      await pause(500);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
