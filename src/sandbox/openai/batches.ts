import { z } from "zod";
import { type Pace, randomId } from "../simulator.ts";
import {
  type BatchStatus,
  moveTo,
  type OpenAiBatch,
  runBatch,
} from "./batch_run.ts";
import { issueFailure } from "./chat_request.ts";
import { OpenAiError } from "./error.ts";
import type { OpenAiFiles } from "./files.ts";
import { limitOf, listPage } from "./list.ts";
import { usageOf } from "./record.ts";
import { checkExpiresAfter } from "./upload_form.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const LIST_LIMIT_MAX = 100;
const LIST_LIMIT_DEFAULT = 20;
const WINDOW_SECONDS = 24 * 3600;

const ENDPOINTS = [
  "/v1/responses",
  "/v1/chat/completions",
  "/v1/embeddings",
  "/v1/completions",
  "/v1/moderations",
  "/v1/images/generations",
  "/v1/images/edits",
  "/v1/videos",
] as const;

/** Statuses in which nothing is left to be cancelled. */
const TERMINAL: ReadonlySet<BatchStatus> = new Set([
  "failed",
  "completed",
  "cancelled",
]);

const METADATA_PAIRS_MAX = 16;
const metadata = z.record(z.string().max(64), z.string().max(512)).refine(
  (pairs) => Object.keys(pairs).length <= METADATA_PAIRS_MAX,
  `expected an object with at most ${METADATA_PAIRS_MAX} properties`,
);

/** OpenAI API Reference, Create batch. */
const createSchema = z.strictObject({
  input_file_id: z.string().startsWith("file-"),
  endpoint: z.enum(ENDPOINTS),
  completion_window: z.literal("24h"),
  metadata: metadata.nullish(),
  output_expires_after: z.unknown().optional(),
});

/** The batches of the simulated account. */
export class OpenAiBatches {
  readonly #files: OpenAiFiles;
  readonly #pace: Pace;
  readonly #listDelayMs: number;
  /** In order of creation. */
  readonly #batches = new Map<string, OpenAiBatch>();

  constructor(files: OpenAiFiles, pace: Pace, listDelayMs: number) {
    this.#files = files;
    this.#pace = pace;
    this.#listDelayMs = listDelayMs;
  }

  /** POST /batches. What is wrong with the input file shows only later. */
  async create(request: Request): Promise<Response> {
    const parsed = createSchema.safeParse(await readJson(request));
    if (!parsed.success) throw new OpenAiError(issueFailure(parsed.error));
    const { input_file_id, endpoint, output_expires_after } = parsed.data;
    this.#checkInput(input_file_id);
    const batch: OpenAiBatch = {
      id: `batch_${randomId(32, "0123456789abcdef")}`,
      endpoint,
      inputFileId: input_file_id,
      metadata: parsed.data.metadata ?? null,
      outputLifeSeconds: output_expires_after === undefined
        ? null
        : checkExpiresAfter(output_expires_after),
      createdAtMs: Date.now(),
      status: "validating",
      reachedAt: new Map(),
      counts: { total: 0, completed: 0, failed: 0 },
      usage: { inputTokens: 0, outputTokens: 0 },
      model: null,
      errors: [],
      outputFileId: null,
      errorFileId: null,
    };
    this.#batches.set(batch.id, batch);
    this.#pace.start(() => runBatch(batch, this.#files, this.#pace));
    return Response.json(wireBatch(batch));
  }

  retrieve(id: string): Response {
    return Response.json(wireBatch(this.#get(id)));
  }

  /** GET /batches, newest first. */
  list(query: URLSearchParams): Response {
    const limit = limitOf(query, LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT);
    const after = query.get("after");
    if (after !== null) this.#get(after);
    const shownUntilMs = Date.now() - this.#listDelayMs;
    const shown = [...this.#batches.values()].reverse().filter((batch) =>
      batch.createdAtMs <= shownUntilMs
    );
    const start = shown.findIndex((batch) => batch.id === after) + 1;
    return listPage(shown.slice(start).map(wireBatch), limit);
  }

  cancel(id: string): Response {
    const batch = this.#get(id);
    if (TERMINAL.has(batch.status)) {
      throw new OpenAiError({
        status: 409,
        message: `Cannot cancel a batch with status '${batch.status}'.`,
      });
    }
    if (batch.status !== "cancelling") moveTo(batch, "cancelling");
    return Response.json(wireBatch(batch));
  }

  #get(id: string): OpenAiBatch {
    const batch = this.#batches.get(id);
    if (batch !== undefined) return batch;
    throw new OpenAiError({
      status: 404,
      message: `No batch found with id '${id}'.`,
    });
  }

  #checkInput(id: string): void {
    const file = this.#files.find(id);
    if (file === null) {
      throw new OpenAiError({
        status: 400,
        message: `No such File object: ${id}`,
        param: "input_file_id",
      });
    }
    if (file.purpose === "batch") return;
    throw new OpenAiError({
      status: 400,
      message: `Invalid file purpose: expected 'batch', got '${file.purpose}'.`,
      param: "input_file_id",
      code: "invalid_value",
    });
  }
}

async function readJson(request: Request): Promise<unknown> {
  const text = await request.text();
  try {
    if (text.length <= BODY_BYTES_MAX) return JSON.parse(text);
  } catch {
    // The same answer as for a body that is too long to be one.
  }
  throw new OpenAiError({
    status: 400,
    message: "We could not parse the JSON body of your request.",
  });
}

function wireBatch(batch: OpenAiBatch): { readonly id: string } {
  const createdAt = Math.floor(batch.createdAtMs / 1000);
  const at = (status: BatchStatus) => batch.reachedAt.get(status) ?? null;
  const wire = {
    id: batch.id,
    object: "batch",
    endpoint: batch.endpoint,
    model: batch.model,
    errors: batch.errors.length === 0
      ? null
      : { object: "list", data: batch.errors },
    input_file_id: batch.inputFileId,
    completion_window: "24h",
    status: batch.status,
    output_file_id: batch.outputFileId,
    error_file_id: batch.errorFileId,
    created_at: createdAt,
    in_progress_at: at("in_progress"),
    expires_at: createdAt + WINDOW_SECONDS,
    finalizing_at: at("finalizing"),
    completed_at: at("completed"),
    failed_at: at("failed"),
    expired_at: null,
    cancelling_at: at("cancelling"),
    cancelled_at: at("cancelled"),
    request_counts: { ...batch.counts },
    usage: usageOf(batch.usage.inputTokens, batch.usage.outputTokens),
    metadata: batch.metadata,
  };
  return wire;
}
