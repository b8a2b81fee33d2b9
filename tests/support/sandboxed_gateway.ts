import { S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { assertRejects } from "@std/assert";
import { Program } from "./program.ts";

/** An S3 client that names its provider behind the signature, as boto3's do. */
export function s3ClientFor(url: string, provider: string): S3Client {
  const client = new S3Client({
    endpoint: `${url}/bedrock/files`,
    region: "us-west-2",
    credentials: { accessKeyId: "tests", secretAccessKey: "tests" },
    forcePathStyle: true,
    maxAttempts: 1,
  });
  client.middlewareStack.add((next) => (args) => {
    const request = args.request as { headers: Record<string, string> };
    request.headers["x-model-provider"] = provider;
    return next(args);
  }, { step: "finalizeRequest", priority: "low" });
  return client;
}

/** A gateway and its simulated providers, in a process of their own. */
export class SandboxedGateway implements AsyncDisposable {
  readonly #program: Program;
  readonly #dataDir: string;
  readonly #clients = new Map<string, S3Client>();

  private constructor(program: Program, dataDir: string) {
    this.#program = program;
    this.#dataDir = dataDir;
  }

  static async start(
    env: Readonly<Record<string, string>> = {},
  ): Promise<SandboxedGateway> {
    const dataDir = await Deno.makeTempDir({ prefix: "finops-sandboxed-" });
    const program = await Program.start("main.ts", ["sandbox"], {
      FINOPS_PORT: "0",
      FINOPS_DATA_DIR: dataDir,
      ...env,
    });
    return new SandboxedGateway(program, dataDir);
  }

  client(provider: string): S3Client {
    const known = this.#clients.get(provider);
    if (known !== undefined) return known;
    const client = s3ClientFor(this.#program.url, provider);
    this.#clients.set(provider, client);
    return client;
  }

  /** Keys in the object store that begin with a prefix. */
  async stored(prefix: string): Promise<string[]> {
    return await storedKeys(this.#dataDir, prefix);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.destroy();
    await this.#program[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }
}

/** What rests in a data folder's object store, found without its code. */
export async function storedKeys(
  dataDir: string,
  prefix: string,
): Promise<string[]> {
  const found: string[] = [];
  const root = `${dataDir}/objects/objects`;
  async function walk(folder: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await walk(path);
      // A folder's name ends in a mark that no key holds.
      else found.push(path.slice(root.length + 1).replaceAll("=/", "/"));
    }
  }
  await walk(root);
  return found.filter((key) => key.startsWith(prefix)).sort();
}

/** Status and code of the error that a call is refused with. */
export async function errorOf(call: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => call, S3ServiceException);
  return `${error.$metadata.httpStatusCode} ${error.name}`;
}
