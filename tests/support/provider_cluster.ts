import {
  BATCH_PROVIDERS,
  type BatchProvider,
  type BatchProviderName,
} from "./batch_provider.ts";
import {
  type Cut,
  CuttingProxy,
  type ProxiedRequest,
} from "./cutting_proxy.ts";
import { Program } from "./program.ts";

const SIMULATOR = "src/sandbox/main.ts";

export interface ClusterOptions {
  /** A new batch shows up in the provider's list only this much later. */
  readonly listDelayMs: number;
  readonly paceMs: number;
}

/** The provider's simulators, each a process that outlives every gateway. */
export class ProviderCluster implements AsyncDisposable {
  readonly s3Url: string;
  readonly urls: Readonly<Record<BatchProviderName, string>>;
  readonly #programs: readonly Program[];

  private constructor(
    programs: readonly [Program, Program, Program, Program],
  ) {
    const [s3, bedrock, openai, gemini] = programs;
    this.#programs = programs;
    this.s3Url = s3.url;
    this.urls = {
      bedrock: bedrock.url,
      openai: openai.url,
      gemini: gemini.url,
    };
  }

  static async start(options: ClusterOptions): Promise<ProviderCluster> {
    const slow = [
      "--list-delay-ms",
      String(options.listDelayMs),
      "--pace-ms",
      String(options.paceMs),
    ];
    const s3 = await Program.start(SIMULATOR, ["s3"], {});
    const atS3 = ["--s3-endpoint", s3.url, "--ignore-tokens"];
    return new ProviderCluster([
      s3,
      ...await Promise.all([
        Program.start(SIMULATOR, ["bedrock", ...atS3, ...slow], {}),
        Program.start(SIMULATOR, ["openai", ...slow], {}),
        Program.start(SIMULATOR, ["gemini", ...slow], {}),
      ]),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#programs.map((program) => program[Symbol.asyncDispose]()),
    );
  }
}

export interface ClusterProxiesOptions {
  readonly cluster: ProviderCluster;
  inspects(provider: BatchProvider, request: ProxiedRequest): boolean;
  cutOf(provider: BatchProvider, request: ProxiedRequest): Cut | null;
}

/** One gateway's way to every provider, with a proxy on each. */
export class ClusterProxies implements AsyncDisposable {
  /** What a gateway needs to find the providers through these proxies. */
  readonly env: Readonly<Record<string, string>>;
  readonly #proxies: readonly CuttingProxy[];

  constructor(options: ClusterProxiesOptions) {
    const { cluster } = options;
    const proxies = BATCH_PROVIDERS.map((provider) => ({
      provider,
      proxy: new CuttingProxy({
        targetUrl: cluster.urls[provider.name],
        inspects: (request) => options.inspects(provider, request),
        cutOf: (request) => options.cutOf(provider, request),
      }),
    }));
    this.#proxies = proxies.map(({ proxy }) => proxy);
    this.env = {
      AWS_REGION: "us-west-2",
      AWS_ACCESS_KEY_ID: "tests",
      AWS_SECRET_ACCESS_KEY: "tests",
      AWS_ENDPOINT_URL_S3: cluster.s3Url,
      BEDROCK_BATCH_ROLE_ARN: "arn:aws:iam::123456789012:role/batch",
      OPENAI_API_KEY: "tests",
      GEMINI_API_KEY: "tests",
      FINOPS_PORT: "0",
      ...Object.fromEntries(
        proxies.map(({ provider, proxy }) => [provider.urlVariable, proxy.url]),
      ),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()),
    );
  }
}
