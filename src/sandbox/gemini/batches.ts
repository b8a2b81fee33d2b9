import { z } from "zod";
import { DIGITS, LETTERS, type Pace, randomId } from "../simulator.ts";
import { type BatchRequest, type GeminiBatch, runBatch } from "./batch_run.ts";
import { readJson } from "./body.ts";
import { camelDeep, issueError } from "./content_request.ts";
import { GoogleError, retryInfo } from "./error.ts";
import { type GeminiFiles, timestamp } from "./files.ts";
import { pageOf } from "./list.ts";
import { isBatchModel, modelNotFound } from "./models.ts";

/** Gemini API, Batch mode: requests given inline are up to 20 MB in all. */
const BODY_BYTES_MAX = 20 * 1024 * 1024;
/** Gemini API, Rate limits: batches that run at the same time. */
const RUNNING_MAX = 100;
const PAGE_SIZE = { default: 50, max: 100 };
const BATCH_TYPE =
  "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch";

const inlinedRequest = z.strictObject({
  request: z.looseObject({}),
  metadata: z.looseObject({}).optional(),
});

const createSchema = z.strictObject({
  batch: z.strictObject({
    name: z.string().optional(),
    model: z.string().optional(),
    displayName: z.string().min(1),
    inputConfig: z.strictObject({
      fileName: z.string().startsWith("files/").optional(),
      requests: z.strictObject({
        requests: z.array(inlinedRequest).min(1),
      }).optional(),
    }),
    priority: z.union([z.string().regex(/^-?\d+$/), z.int()]).optional(),
    webhookConfig: z.unknown().optional(),
  }),
});

/** The batches of the simulated project. */
export class GeminiBatches {
  readonly #files: GeminiFiles;
  readonly #pace: Pace;
  readonly #listDelayMs: number;
  /** In order of creation. */
  readonly #batches = new Map<string, GeminiBatch>();
  #sequence = 0;

  constructor(files: GeminiFiles, pace: Pace, listDelayMs: number) {
    this.#files = files;
    this.#pace = pace;
    this.#listDelayMs = listDelayMs;
  }

  /** POST /models/{model}:batchGenerateContent */
  async create(
    request: Request,
    model: string,
    version: string,
  ): Promise<Response> {
    if (!isBatchModel(model)) {
      throw modelNotFound(model, version, "batchGenerateContent");
    }
    const body = camelDeep(await readJson(request, BODY_BYTES_MAX));
    const parsed = createSchema.safeParse(body);
    if (!parsed.success) throw issueError(parsed.error);
    const { displayName, inputConfig, priority } = parsed.data.batch;
    const { fileName, requests } = inputConfig;
    const input = this.#inputOf(fileName, requests?.requests);
    this.#checkQuota();
    const createdAtMs = Date.now();
    const batch: GeminiBatch = {
      id: randomId(32, LETTERS + DIGITS),
      sequence: ++this.#sequence,
      model: `models/${model}`,
      displayName,
      priority: priority === undefined ? null : String(priority),
      input,
      createdAtMs,
      state: "PENDING",
      updatedAtMs: createdAtMs,
      endedAtMs: null,
      stop: null,
      counts: {
        total: requests?.requests.length ?? 0,
        succeeded: 0,
        failed: 0,
      },
      responsesFileId: null,
      inlinedResponses: [],
      error: null,
    };
    this.#batches.set(batch.id, batch);
    this.#pace.start(() => runBatch(batch, this.#files, this.#pace));
    return Response.json(operationOf(batch));
  }

  retrieve(id: string): Response {
    return Response.json(operationOf(this.#get(id)));
  }

  /** GET /batches, newest first. */
  list(query: URLSearchParams): Response {
    const shownUntilMs = Date.now() - this.#listDelayMs;
    const shown = [...this.#batches.values()].reverse().filter((batch) =>
      batch.createdAtMs <= shownUntilMs
    );
    const { items, nextPageToken } = pageOf(shown, query, PAGE_SIZE);
    return Response.json({
      ...(items.length === 0 ? {} : { operations: items.map(operationOf) }),
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
  }

  /** Asks a batch to stop; its state tells later that it has. */
  cancel(id: string): Response {
    const batch = this.#get(id);
    if (batch.endedAtMs !== null) {
      throw new GoogleError(
        "FAILED_PRECONDITION",
        `The batch is in state BATCH_STATE_${batch.state} and cannot be ` +
          "cancelled.",
      );
    }
    batch.stop = "asked";
    return Response.json({});
  }

  /** Forgets a batch, and stops it too. */
  delete(id: string): Response {
    const batch = this.#get(id);
    batch.stop = "asked";
    this.#batches.delete(id);
    return Response.json({});
  }

  #get(id: string): GeminiBatch {
    const batch = this.#batches.get(id);
    if (batch !== undefined) return batch;
    throw new GoogleError("NOT_FOUND", "Requested entity was not found.");
  }

  #inputOf(
    fileName: string | undefined,
    requests: readonly BatchRequest[] | undefined,
  ): GeminiBatch["input"] {
    if ((fileName === undefined) === (requests === undefined)) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        "* CreateBatchRequest.batch.input_config: exactly one of file_name " +
          "and requests must be given.",
      );
    }
    if (requests !== undefined) return { kind: "inline", requests };
    const file = this.#files.get((fileName ?? "").slice("files/".length));
    if (this.#files.isActive(file)) return { kind: "file", fileId: file.id };
    throw new GoogleError(
      "FAILED_PRECONDITION",
      `The File ${file.id} is not in an ACTIVE state and usage is not allowed.`,
    );
  }

  #checkQuota(): void {
    const running = [...this.#batches.values()].filter((batch) =>
      batch.endedAtMs === null
    );
    if (running.length < RUNNING_MAX) return;
    throw new GoogleError(
      "RESOURCE_EXHAUSTED",
      `You exceeded your current quota of ${RUNNING_MAX} concurrent batches.`,
      [retryInfo(1)],
    );
  }
}

function operationOf(batch: GeminiBatch): unknown {
  const output = outputOf(batch);
  const { input, priority, endedAtMs, error } = batch;
  const isDone = endedAtMs !== null;
  return {
    name: `batches/${batch.id}`,
    metadata: {
      "@type": BATCH_TYPE,
      name: `batches/${batch.id}`,
      model: batch.model,
      displayName: batch.displayName,
      state: `BATCH_STATE_${batch.state}`,
      createTime: timestamp(batch.createdAtMs),
      updateTime: timestamp(batch.updatedAtMs),
      ...(isDone ? { endTime: timestamp(endedAtMs) } : {}),
      ...(input.kind === "file"
        ? { inputConfig: { fileName: `files/${input.fileId}` } }
        : {}),
      ...(priority === null ? {} : { priority }),
      batchStats: statsOf(batch),
      ...(output === null ? {} : { output }),
    },
    ...(isDone ? { done: true } : {}),
    ...(error === null ? {} : { error }),
    ...(output === null
      ? {}
      : { response: { "@type": BATCH_TYPE, ...output } }),
  };
}

function outputOf(batch: GeminiBatch): Record<string, unknown> | null {
  if (batch.state !== "SUCCEEDED") return null;
  if (batch.input.kind === "file") {
    return { responsesFile: `files/${batch.responsesFileId}` };
  }
  const { inlinedResponses } = batch;
  return { inlinedResponses: { inlinedResponses } };
}

/** Counts are strings, and proto JSON leaves zeros out. */
function statsOf(batch: GeminiBatch): Record<string, string> {
  const { total, succeeded, failed } = batch.counts;
  const stats = {
    requestCount: total,
    successfulRequestCount: succeeded,
    failedRequestCount: failed,
    pendingRequestCount: total - succeeded - failed,
  };
  return Object.fromEntries(
    Object.entries(stats).filter(([, count]) => count > 0)
      .map(([name, count]) => [name, String(count)]),
  );
}
