import type { BatchProvider } from "../support/batch_provider.ts";
import type { Cut, ProxiedRequest } from "../support/cutting_proxy.ts";
import { Denokv } from "../support/denokv.ts";
import { GatewayClient } from "../support/gateway_client.ts";
import { Program } from "../support/program.ts";
import {
  type ClusterOptions,
  ClusterProxies,
  ProviderCluster,
} from "../support/provider_cluster.ts";

export type ReplicaName = "a" | "b";

type CutOf = (provider: BatchProvider, request: ProxiedRequest) => Cut | null;

const OBJECT_STORE = "s3://your-s3-bucket/finops-store";

/** One gateway of several, each with its own way to the providers. */
export class Replica implements AsyncDisposable {
  readonly #program: Program;
  readonly #clients = new Map<string, GatewayClient>();

  constructor(program: Program) {
    this.#program = program;
  }

  client(provider: BatchProvider): GatewayClient {
    let client = this.#clients.get(provider.name);
    if (client === undefined) {
      client = new GatewayClient(this.#program.url, provider);
      this.#clients.set(provider.name, client);
    }
    return client;
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    await this.#program.kill();
  }
}

/** Gateways that share a KV, an S3 and the providers' accounts. */
export class ReplicaBench implements AsyncDisposable {
  readonly cluster: ProviderCluster;
  readonly #denokv: Denokv;
  readonly #open = new AsyncDisposableStack();
  readonly #cuts = new Map<ReplicaName, CutOf>();
  readonly #requests = new Map<ReplicaName, string[]>();

  private constructor(denokv: Denokv, cluster: ProviderCluster) {
    this.#denokv = denokv;
    this.cluster = cluster;
  }

  /** @param denokv The path of the program. */
  static async start(
    denokv: string,
    options: ClusterOptions,
  ): Promise<ReplicaBench> {
    const kv = await Denokv.start(denokv);
    return new ReplicaBench(kv, await ProviderCluster.start(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open.disposeAsync();
    await this.cluster[Symbol.asyncDispose]();
    await this.#denokv[Symbol.asyncDispose]();
  }

  async open(name: ReplicaName): Promise<Replica> {
    const seen: string[] = [];
    this.#requests.set(name, seen);
    const proxies = this.#open.use(
      new ClusterProxies({
        cluster: this.cluster,
        inspects: (provider, { method, path }) => {
          seen.push(`${provider.name} ${method} ${path}`);
          return this.#cuts.has(name) && method !== "PUT" &&
            !path.includes("upload") && path !== "/v1/files";
        },
        cutOf: (provider, request) =>
          this.#cuts.get(name)?.(provider, request) ?? null,
      }),
    );
    const dataDir = await Deno.makeTempDir({ prefix: "finops-replica-" });
    this.#open.defer(() => Deno.remove(dataDir, { recursive: true }));
    const program = await Program.start("main.ts", ["serve"], {
      ...proxies.env,
      ...this.#denokv.env,
      FINOPS_DATA_DIR: dataDir,
      FINOPS_OBJECT_STORE: OBJECT_STORE,
      FINOPS_SUBMIT_TIMEOUT_MS: "6000",
      FINOPS_SETTLE_MARGIN_MS: "2500",
    });
    return this.#open.use(new Replica(program));
  }

  /** From now on breaks off what this replica asks of providers. */
  cut(name: ReplicaName, cutOf: CutOf): void {
    this.#cuts.set(name, cutOf);
  }

  forgetRequests(): void {
    for (const seen of this.#requests.values()) seen.length = 0;
  }

  countRequests(
    name: ReplicaName,
    counts: (request: string) => boolean,
  ): number {
    return (this.#requests.get(name) ?? []).filter(counts).length;
  }
}
