import { z } from "zod";
import { answerFor } from "../answer.ts";
import { sha256Hex } from "../digest/conversation.ts";
import { JsonLinesWriter, readJsonLines } from "../jsonl.ts";
import { ClosedError, type Pace } from "../simulator.ts";
import { checkContentRequest } from "./content_request.ts";
import { GoogleError } from "./error.ts";
import type { GeminiFiles } from "./files.ts";
import type { Listed } from "./list.ts";

/** How many steps a running batch's counts take to the end, at most. */
const PROGRESS_STEPS = 10;

export type BatchState =
  | "PENDING"
  | "RUNNING"
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED";

/** One request of a batch, and what shall come back beside its answer. */
export interface BatchRequest {
  readonly request: unknown;
  readonly key?: string | undefined;
  readonly metadata?: unknown;
}

/** A batch as the project knows it; its run moves it on. */
export interface GeminiBatch extends Listed {
  readonly id: string;
  readonly model: string;
  readonly displayName: string;
  readonly priority: string | null;
  readonly input:
    | { readonly kind: "file"; readonly fileId: string }
    | { readonly kind: "inline"; readonly requests: readonly BatchRequest[] };
  readonly createdAtMs: number;
  state: BatchState;
  updatedAtMs: number;
  endedAtMs: number | null;
  /** Set by a cancel or delete call; the run comes to it later. */
  stop: "asked" | null;
  readonly counts: { total: number; succeeded: number; failed: number };
  responsesFileId: string | null;
  readonly inlinedResponses: unknown[];
  error: { readonly code: number; readonly message: string } | null;
}

/** Takes one batch through its life, at the simulator's pace. */
export async function runBatch(
  batch: GeminiBatch,
  files: GeminiFiles,
  pace: Pace,
): Promise<void> {
  try {
    await pace.stage();
    throwIfStopped(batch);
    await checkInput(batch, files);
    batch.state = "RUNNING";
    batch.updatedAtMs = Date.now();
    if (batch.input.kind === "inline") {
      const { inlinedResponses } = batch;
      await answerAll(batch, files, pace, (line) => {
        inlinedResponses.push(line);
        return Promise.resolve();
      });
    } else await answerFile(batch, files, pace);
    end(batch, "SUCCEEDED");
  } catch (error) {
    if (error instanceof ClosedError) throw error;
    // A run has nobody to tell but the one who asks for the batch.
    const failure = error instanceof GoogleError
      ? error
      : new GoogleError("INTERNAL", String(error));
    batch.error = failure.toStatus();
    end(batch, failure.status === "CANCELLED" ? "CANCELLED" : "FAILED");
  }
}

function end(batch: GeminiBatch, state: BatchState): void {
  batch.state = state;
  batch.endedAtMs = Date.now();
  batch.updatedAtMs = batch.endedAtMs;
}

function throwIfStopped(batch: GeminiBatch): void {
  if (batch.stop === null) return;
  throw new GoogleError("CANCELLED", "The operation was cancelled.");
}

/** A file that cannot be read as requests fails the batch as a whole. */
async function checkInput(
  batch: GeminiBatch,
  files: GeminiFiles,
): Promise<void> {
  let total = 0;
  for await (const _ of requestsOf(batch, files)) total += 1;
  if (total === 0) {
    throw new GoogleError("INVALID_ARGUMENT", "The input file is empty.");
  }
  batch.counts.total = total;
}

const lineSchema = z.looseObject({
  key: z.string().optional(),
  request: z.looseObject({}),
  metadata: z.looseObject({}).optional(),
});

async function* requestsOf(
  batch: GeminiBatch,
  files: GeminiFiles,
): AsyncGenerator<BatchRequest> {
  if (batch.input.kind === "inline") {
    yield* batch.input.requests;
    return;
  }
  for await (
    const { number, value } of readJsonLines(files.pathOf(batch.input.fileId))
  ) {
    const parsed = lineSchema.safeParse(value);
    if (!parsed.success) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        `Failed to parse line ${number} of the input file as a request.`,
      );
    }
    yield parsed.data;
  }
}

async function answerFile(
  batch: GeminiBatch,
  files: GeminiFiles,
  pace: Pace,
): Promise<void> {
  const id = `batch-${batch.id}`;
  const writer = await JsonLinesWriter.create(files.pathOf(id));
  try {
    await answerAll(batch, files, pace, (line) => writer.write(line));
  } finally {
    await writer.close();
  }
  await files.add({
    id,
    displayName: null,
    mimeType: "application/jsonl",
    source: "GENERATED",
  });
  batch.responsesFileId = id;
}

async function answerAll(
  batch: GeminiBatch,
  files: GeminiFiles,
  pace: Pace,
  write: (line: unknown) => Promise<void>,
): Promise<void> {
  const { counts } = batch;
  const steps = Math.min(PROGRESS_STEPS, counts.total);
  let count = 0;
  let step = 0;
  for await (const { key, metadata, request } of requestsOf(batch, files)) {
    const result = answerRequest(batch.model, request);
    if ("error" in result) counts.failed += 1;
    else counts.succeeded += 1;
    // A line without a key comes back without one.
    const identity = key !== undefined
      ? { key }
      : metadata === undefined
      ? {}
      : { metadata };
    await write({ ...identity, ...result });
    count += 1;
    if (count * steps < (step + 1) * counts.total) continue;
    step += 1;
    batch.updatedAtMs = Date.now();
    await pace.stage(1 / steps);
    throwIfStopped(batch);
  }
}

type RequestResult = { readonly response: unknown } | {
  readonly error: { readonly code: number; readonly message: string };
};

function answerRequest(model: string, request: unknown): RequestResult {
  try {
    checkContentRequest(request);
  } catch (error) {
    if (error instanceof GoogleError) return { error: error.toStatus() };
    throw error;
  }
  const answer = answerFor("gemini", request);
  if (answer.failure !== null) {
    const { message } = answer.failure;
    return { error: new GoogleError("INVALID_ARGUMENT", message).toStatus() };
  }
  const { toolCall, inputTokens, outputTokens } = answer;
  // Calls carry no id here, as with most of this API's models.
  const call = toolCall === null ? [] : [{
    functionCall: { name: toolCall.name, args: toolCall.input },
  }];
  return {
    response: {
      candidates: [{
        content: { parts: [{ text: answer.text }, ...call], role: "model" },
        finishReason: "STOP",
        index: 0,
      }],
      usageMetadata: {
        promptTokenCount: inputTokens,
        candidatesTokenCount: outputTokens,
        totalTokenCount: inputTokens + outputTokens,
        promptTokensDetails: [{ modality: "TEXT", tokenCount: inputTokens }],
      },
      modelVersion: model,
      responseId: sha256Hex(answer.text).slice(0, 22),
    },
  };
}
