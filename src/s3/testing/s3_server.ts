import { createAuthenticator } from "../../auth/authenticator.ts";
import type { Credential } from "../../auth/credentials.ts";
import type {
  FileStorage,
  NoStorage,
  ObjectStorage,
  ProviderDriver,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { parseProviderName, type ProviderName } from "../../domain/provider.ts";
import { parseRequestTarget } from "../../http/target.ts";
import { createLog } from "../../telemetry/log.ts";
import { handleS3, type S3Deps, type S3Limits } from "../handler.ts";
import { MemoryFiles } from "./memory_files.ts";
import { MemoryStorage } from "./memory_storage.ts";

export const ADMIN: Credential = {
  accessKeyId: "ADMINKEY",
  secretAccessKey: "admin-secret",
  tenant: "ops",
  providers: null,
  defaultProvider: null,
  buckets: [],
  admin: true,
  bearerKey: null,
};

export const TENANT: Credential = {
  ...ADMIN,
  accessKeyId: "TENANTKEY",
  secretAccessKey: "tenant-secret",
  tenant: "acme",
  buckets: ["mine", "shared/acme/*"],
  admin: false,
};

export const NO_STORAGE_REASON = "Use the SDK's inline batches.";

/** File size limit of the storages that stand in for providers. */
export const FILE_BYTES_MAX = 64 * 1024 * 1024;

export interface S3ServerOptions {
  /** Empty: the gateway is open. */
  readonly credentials?: readonly Credential[];
  readonly limits?: Partial<S3Limits>;
  readonly deps?: Partial<S3Deps>;
}

/** The front end on a real socket, over objects in memory. */
export class S3Server implements AsyncDisposable {
  readonly files = new MemoryFiles();
  readonly storage = new MemoryStorage();
  readonly notes: Record<string, string | number>[] = [];
  readonly logLines: string[] = [];
  readonly #closers: (() => void)[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(options: S3ServerOptions = {}) {
    const log = createLog("debug", (line) => this.logLines.push(line));
    const deps: S3Deps = {
      authenticator: createAuthenticator({
        credentials: options.credentials ?? [],
        anonymous: { ...ADMIN, accessKeyId: null },
      }),
      files: this.files.asFileObjects(),
      uploads: UPLOADS,
      sources: SOURCES,
      resolveDriver: ({ headers }) => Promise.resolve(this.#driver(headers)),
      defaultRegion: "us-west-2",
      bucketsOf: () => ["openai-files", "openai-output"],
      log,
      ...options.limits === undefined ? {} : { limits: options.limits },
      ...options.deps,
    };
    const listen = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    this.#server = Deno.serve(listen, (request) => {
      const notes: Record<string, string | number> = {};
      this.notes.push(notes);
      return handleS3(request, {
        requestId: crypto.randomUUID(),
        signal: request.signal,
        target: parseRequestTarget(request.url),
        note: (fields) => Object.assign(notes, fields),
      }, deps);
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/bedrock/files`;
  }

  /** Closes something that a test opened against the server. */
  closeWith(close: () => void): void {
    this.#closers.push(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers) close();
    await this.#server.shutdown();
  }

  #driver(headers: Headers): ProviderDriver {
    const name = headers.get("x-model-provider") ?? "openai";
    const provider = parseProviderName(name);
    if (provider === null) {
      throw new GatewayError(
        { kind: "invalid_argument", argument: "x-model-provider", value: name },
        "Unknown provider.",
      );
    }
    return driverOf(provider, this.#storageOf(provider));
  }

  #storageOf(provider: ProviderName): ProviderDriver["storage"] {
    switch (provider) {
      case "bedrock":
        return this.storage;
      case "anthropic":
        return { kind: "none", reason: NO_STORAGE_REASON };
      case "openai":
      case "gemini":
        return FILE_STORAGE;
    }
  }
}

/** Multipart uploads need state; their tests bring it. */
const UPLOADS: S3Deps["uploads"] = {
  create: notPlayed,
  putPart: notPlayed,
  complete: notPlayed,
  abort: notPlayed,
  find: notPlayed,
  listParts: () => ReadableStream.from([]),
  list: () => ReadableStream.from([]),
};

const SOURCES: S3Deps["sources"] = {
  providerOf: (destination) => destination,
  find: notPlayed,
};

/** Only its bound is looked at: the objects themselves are in MemoryFiles. */
const FILE_STORAGE: FileStorage = {
  kind: "files",
  fileBytesMax: FILE_BYTES_MAX,
  isFileId: (text) => text.startsWith("file-"),
  putFile: notPlayed,
  getFile: notPlayed,
  listFiles: () => ReadableStream.from([]),
  openFile: notPlayed,
  deleteFile: notPlayed,
};

function driverOf(
  provider: ProviderName,
  storage: FileStorage | ObjectStorage | NoStorage,
): ProviderDriver {
  return {
    provider,
    storage,
    batches: { kind: "none", reason: "" },
    models: { listModels: notPlayed, getModel: notPlayed },
    probe: notPlayed,
    close() {},
  };
}

function notPlayed(): Promise<never> {
  return Promise.reject(new Error("Not played in this test."));
}
