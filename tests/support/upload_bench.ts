import type { S3Client } from "@aws-sdk/client-s3";
import { createDigest } from "../../src/auth/digest.ts";
import { createFileObjects } from "../../src/domain/files/file_service.ts";
import type { ProviderDriver } from "../../src/domain/driver.ts";
import { GatewayError } from "../../src/domain/failure.ts";
import type { ProviderName } from "../../src/domain/provider.ts";
import { UploadService } from "../../src/domain/uploads/upload_service.ts";
import { createGeminiDriver } from "../../src/drivers/gemini/driver.ts";
import { createOpenAiDriver } from "../../src/drivers/openai/driver.ts";
import { createFileIndex } from "../../src/kv/file_index.ts";
import { openKv } from "../../src/kv/open.ts";
import { createUploadIndex } from "../../src/kv/upload_index.ts";
import { openFileObjectStore } from "../../src/object_store/file_store.ts";
import type { FileProvider } from "./multipart.ts";
import { Program } from "./program.ts";
import { s3ClientFor, storedKeys } from "./sandboxed_gateway.ts";

const SIMULATOR = "src/sandbox/main.ts";

/** After each of these times, a sweep finds something more that is over. */
const SWEEPS_LATER_MS = [0, 3 * 60_000, 6 * 60_000, 2 * 60 * 60_000];

/** A gateway that can be killed, with providers that outlive it. */
export class UploadBench implements AsyncDisposable {
  readonly #dataDir: string;
  readonly #simulators: Readonly<Record<FileProvider, Program>>;
  readonly #clients = new Map<FileProvider, S3Client>();
  #gateway: Program | null = null;

  private constructor(
    dataDir: string,
    simulators: Readonly<Record<FileProvider, Program>>,
  ) {
    this.#dataDir = dataDir;
    this.#simulators = simulators;
  }

  static async start(): Promise<UploadBench> {
    const dataDir = await Deno.makeTempDir({ prefix: "finops-upload-kill-" });
    const [openai, gemini] = await Promise.all([
      Program.start(SIMULATOR, ["openai"], {}),
      Program.start(SIMULATOR, ["gemini"], {}),
    ]);
    const bench = new UploadBench(dataDir, { openai, gemini });
    await bench.restart();
    return bench;
  }

  client(provider: FileProvider): S3Client {
    const known = this.#clients.get(provider);
    if (known !== undefined) return known;
    const client = s3ClientFor(this.#gateway?.url ?? "", provider);
    this.#clients.set(provider, client);
    return client;
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.#gateway?.kill();
    this.#forgetClients();
  }

  async restart(): Promise<void> {
    const { openai, gemini } = this.#simulators;
    this.#gateway = await Program.start("main.ts", ["serve"], {
      FINOPS_PORT: "0",
      FINOPS_DATA_DIR: this.#dataDir,
      OPENAI_API_KEY: "tests",
      OPENAI_BASE_URL: openai.url,
      GEMINI_API_KEY: "tests",
      GOOGLE_GEMINI_BASE_URL: gemini.url,
    });
  }

  /** Ends the gateway and clears up as one would that ran on for hours. */
  async stopAndSweep(): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
    this.#gateway = null;
    const kv = await openKv({ kind: "local" }, this.#dataDir);
    const store = await openFileObjectStore({
      directory: `${this.#dataDir}/objects`,
    });
    const drivers = this.#openDrivers();
    const fileIndex = createFileIndex(kv);
    let laterMs = 0;
    const now = () => new Date(Date.now() + laterMs);
    const files = createFileObjects({
      drivers: (provider) => Promise.resolve(drivers(provider)),
      index: fileIndex,
      store,
      results: NO_RESULTS,
      now,
    });
    const uploads = new UploadService({
      index: createUploadIndex(kv),
      fileIndex,
      files: files.writer,
      store,
      createSum: createDigest,
      now,
    });
    for (laterMs of SWEEPS_LATER_MS) await uploads.sweep();
    await store.close();
    kv.close();
    drivers("openai").close();
    drivers("gemini").close();
  }

  /** What rests in the object store. */
  async stored(): Promise<string[]> {
    return await storedKeys(this.#dataDir, "");
  }

  /** SHA-256 in hexadecimal, where the provider tells it, by file id. */
  async remoteFiles(provider: FileProvider): Promise<Map<string, string>> {
    return provider === "openai"
      ? await this.#openAiFiles()
      : await this.#geminiFiles();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forgetClients();
    await this.#gateway?.[Symbol.asyncDispose]();
    const { openai, gemini } = this.#simulators;
    await Promise.all([
      openai[Symbol.asyncDispose](),
      gemini[Symbol.asyncDispose](),
    ]);
    await Deno.remove(this.#dataDir, { recursive: true });
  }

  #forgetClients(): void {
    for (const client of this.#clients.values()) client.destroy();
    this.#clients.clear();
  }

  #openDrivers(): (provider: ProviderName) => ProviderDriver {
    const { openai, gemini } = this.#simulators;
    const apiKey = "tests";
    const drivers = {
      openai: createOpenAiDriver({
        apiKey,
        baseUrl: openai.url,
        organization: null,
        project: null,
      }),
      gemini: createGeminiDriver({ apiKey, baseUrl: gemini.url }),
    };
    return (provider) => {
      if (provider === "openai" || provider === "gemini") {
        return drivers[provider];
      }
      throw new GatewayError({ kind: "internal" }, "Not part of the bench.");
    };
  }

  async #openAiFiles(): Promise<Map<string, string>> {
    const response = await fetch(`${this.#simulators.openai.url}/files`, {
      headers: { authorization: "Bearer tests" },
    });
    const { data } = await response.json() as { data: { id: string }[] };
    return new Map(data.map(({ id }) => [id, ""]));
  }

  async #geminiFiles(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    let pageToken = "";
    do {
      const url = new URL(`${this.#simulators.gemini.url}/v1beta/files`);
      url.searchParams.set("pageSize", "100");
      if (pageToken !== "") url.searchParams.set("pageToken", pageToken);
      const response = await fetch(url, {
        headers: { "x-goog-api-key": "tests" },
      });
      const page = await response.json() as GeminiPage;
      for (const { name, sha256Hash } of page.files ?? []) {
        found.set(name.replace("files/", ""), atob(sha256Hash));
      }
      pageToken = page.nextPageToken ?? "";
    } while (pageToken !== "");
    return found;
  }
}

interface GeminiPage {
  readonly files?: readonly { name: string; sha256Hash: string }[];
  readonly nextPageToken?: string;
}

const NO_RESULTS = {
  find: () => Promise.resolve(null),
  open: () => Promise.reject(new Error("There are no results.")),
  list: () => ReadableStream.from([]),
};
