import {
  DataFolder,
  Pace,
  serveSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../simulator.ts";
import { readBody } from "./constraint.ts";
import { checkTags, createRequestSchema } from "./create_request.ts";
import { BedrockFailure, failureResponse } from "./failure.ts";
import { isTerminal, type Job, wireJob } from "./job.ts";
import { JobTable } from "./job_table.ts";
import { listJobs } from "./listing.ts";
import { getFoundationModel, listFoundationModels } from "./models.ts";
import { JobRun, type JobRunDeps } from "./run.ts";
import { JobStorage } from "./storage.ts";
import { listTags, tagResource, untagResource } from "./tagging.ts";

const REGION_DEFAULT = "us-west-2";

export interface BedrockSimulatorOptions extends SimulatorOptions {
  /** The S3 server that jobs read from and write to. */
  readonly s3Endpoint: string;
  readonly region?: string;
  /** What jobs sign their S3 requests with. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** A repeated clientRequestToken then makes another job; for tests. */
  readonly ignoreTokens?: boolean;
}

/**
 * Serves Bedrock's control plane for batch jobs and the model catalogue
 * (botocore model, bedrock/2023-04-20). Jobs in `dataDir` outlive the
 * simulator; one that had not ended is carried out anew.
 */
export async function startBedrockSimulator(
  options: BedrockSimulatorOptions,
): Promise<Simulator> {
  const closing = new AbortController();
  const folder = await DataFolder.open(options.dataDir);
  const pace = new Pace(options.paceMs);
  const region = options.region ?? REGION_DEFAULT;
  const table = new JobTable(folder.pathOf("jobs"), {
    region,
    tokens: options.ignoreTokens ? "ignored" : "honoured",
  });
  const storage = new JobStorage({
    endpoint: options.s3Endpoint,
    region,
    accessKeyId: options.accessKeyId ?? "sandbox-bedrock",
    secretAccessKey: options.secretAccessKey ?? "sandbox-bedrock",
  }, closing.signal);
  const deps = { table, storage, folder, pace, closing: closing.signal };
  const api = new BedrockApi(deps, region, options.listDelayMs ?? 0);
  const server = await serveSimulator(options, (request) => api.handle(request))
    .catch(async (error: unknown) => {
      storage.close();
      await folder.close();
      throw error;
    });
  api.resume();
  return {
    url: server.url,
    async close(): Promise<void> {
      closing.abort();
      await server.close();
      await pace.close();
      storage.close();
      await folder.close();
    },
  };
}

class BedrockApi {
  readonly #deps: JobRunDeps;
  readonly #region: string;
  readonly #listDelayMs: number;

  constructor(deps: JobRunDeps, region: string, listDelayMs: number) {
    this.#deps = deps;
    this.#region = region;
    this.#listDelayMs = listDelayMs;
  }

  /** Takes up the jobs that an earlier run left unfinished. */
  resume(): void {
    for (const job of this.#deps.table.all()) {
      if (isTerminal(job.status)) continue;
      Object.assign(job.counts, {
        total: 0,
        processed: 0,
        success: 0,
        error: 0,
      });
      this.#start(job);
    }
  }

  /** Answers errors too, all with the headers that clients look for. */
  async handle(request: Request): Promise<Response> {
    const response = await this.#answer(request).catch((error: unknown) =>
      failureResponse(
        error instanceof BedrockFailure ? error : internalError(error),
      )
    );
    response.headers.set("x-amzn-requestid", crypto.randomUUID());
    return response;
  }

  async #answer(request: Request): Promise<Response> {
    requireAuthorization(request.headers);
    const { table } = this.#deps;
    const { pathname, searchParams } = new URL(request.url);
    const [collection = "", encodedId, ...rest] = pathname.slice(1).split("/");
    const id = encodedId === undefined ? null : decode(encodedId);
    const form = id === null ? "" : ["/:id", ...rest].join("/");
    switch (`${request.method} ${collection}${form}`) {
      case "POST model-invocation-job":
        return await this.#createJob(request);
      case "GET model-invocation-job/:id":
        return Response.json(wireJob(table.find(id ?? "")));
      case "POST model-invocation-job/:id/stop":
        return this.#stopJob(id ?? "");
      case "GET model-invocation-jobs":
        return this.#listJobs(searchParams);
      case "POST listTagsForResource":
        return await listTags(request, table);
      case "POST tagResource":
        return await tagResource(request, table);
      case "POST untagResource":
        return await untagResource(request, table);
      case "GET foundation-models":
        return listFoundationModels(searchParams, this.#region);
      case "GET foundation-models/:id":
        return getFoundationModel(id ?? "", this.#region);
      default:
        throw new BedrockFailure(
          "UnknownOperationException",
          `The sandbox has no operation ${request.method} ${pathname}.`,
        );
    }
  }

  async #createJob(request: Request): Promise<Response> {
    const wanted = await readBody(request, createRequestSchema);
    checkTags(wanted.tags ?? [], "ValidationException");
    const { job, isNew } = this.#deps.table.create(wanted);
    if (isNew) this.#start(job);
    return Response.json({ jobArn: job.arn });
  }

  #stopJob(identifier: string): Response {
    const { table } = this.#deps;
    const job = table.find(identifier);
    if (isTerminal(job.status)) {
      throw new BedrockFailure(
        "ConflictException",
        `The job ${job.arn} has the status ${job.status} and cannot be stopped.`,
      );
    }
    if (job.status !== "Stopping") table.move(job, "Stopping");
    return Response.json({});
  }

  #listJobs(search: URLSearchParams): Response {
    const shownUntilMs = Date.now() - this.#listDelayMs;
    const shown = this.#deps.table.all()
      .filter(({ submitTimeMs }) => submitTimeMs <= shownUntilMs);
    const { jobs, nextToken } = listJobs(shown, search);
    return Response.json({
      invocationJobSummaries: jobs.map(wireJob),
      ...(nextToken === null ? {} : { nextToken }),
    });
  }

  #start(job: Job): void {
    this.#deps.pace.start(() => new JobRun(job, this.#deps).run());
  }
}

function requireAuthorization(headers: Headers): void {
  const authorization = headers.get("authorization") ?? "";
  if (authorization === "") {
    throw new BedrockFailure(
      "MissingAuthenticationTokenException",
      "Missing Authentication Token",
    );
  }
  const accessKeyId = /Credential=([^/,\s]*)/.exec(authorization)?.[1] ?? "";
  if (accessKeyId === "INVALID" || authorization === "Bearer INVALID") {
    throw new BedrockFailure(
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
    );
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new BedrockFailure(
      "ValidationException",
      "The path is not validly percent-encoded.",
    );
  }
}

/** A defect of the simulator; its text helps whoever runs the sandbox. */
function internalError(error: unknown): BedrockFailure {
  return new BedrockFailure(
    "InternalServerException",
    `Sandbox defect: ${String(error)}`,
  );
}
