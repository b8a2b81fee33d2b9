import { z } from "zod";
import { sha256Hex } from "../digest/conversation.ts";
import { JsonLinesWriter, readJsonLines } from "../jsonl.ts";
import { ClosedError, type Pace } from "../simulator.ts";
import { type BatchError, inspectInput } from "./batch_input.ts";
import { newRequestId } from "./error.ts";
import type { OpenAiFiles } from "./files.ts";
import { answerRecord } from "./record.ts";
import { newFileId, nowSeconds } from "./upload_form.ts";

/** How many steps a running batch's counts take to the end, at most. */
const PROGRESS_STEPS = 10;
/** Results come back in another order than the requests went in. */
const SHUFFLE_LINES = 8;
const OUTPUT_LIFE_SECONDS = 30 * 24 * 3600;

export type BatchStatus =
  | "validating"
  | "failed"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "cancelling"
  | "cancelled";

/** A batch as the account knows it; its run moves it on. */
export interface OpenAiBatch {
  readonly id: string;
  readonly endpoint: string;
  readonly inputFileId: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputLifeSeconds: number | null;
  readonly createdAtMs: number;
  status: BatchStatus;
  /** Seconds at which each status was reached. */
  readonly reachedAt: Map<BatchStatus, number>;
  readonly counts: { total: number; completed: number; failed: number };
  readonly usage: { inputTokens: number; outputTokens: number };
  model: string | null;
  errors: readonly BatchError[];
  outputFileId: string | null;
  errorFileId: string | null;
}

export function moveTo(batch: OpenAiBatch, status: BatchStatus): void {
  batch.status = status;
  batch.reachedAt.set(status, nowSeconds());
}

/** Takes one batch through its life, at the simulator's pace. */
export async function runBatch(
  batch: OpenAiBatch,
  files: OpenAiFiles,
  pace: Pace,
): Promise<void> {
  try {
    await pace.stage();
    if (isCancelling(batch)) return moveTo(batch, "cancelled");
    if (!await validate(batch, files)) return;
    if (isCancelling(batch)) return moveTo(batch, "cancelled");
    moveTo(batch, "in_progress");
    await process(batch, files, pace);
    moveTo(batch, isCancelling(batch) ? "cancelled" : "completed");
  } catch (error) {
    if (error instanceof ClosedError) throw error;
    // A run has nobody to tell but the one who asks for the batch.
    const message = error instanceof Error ? error.message : String(error);
    batch.errors = [{ code: "server_error", message, param: null, line: null }];
    moveTo(batch, "failed");
  }
}

/** A cancel call changes the status while a run is waiting. */
function isCancelling(batch: OpenAiBatch): boolean {
  return batch.status === "cancelling";
}

async function validate(
  batch: OpenAiBatch,
  files: OpenAiFiles,
): Promise<boolean> {
  const file = files.find(batch.inputFileId);
  if (file === null) throw new Error("The batch's input file was deleted.");
  const { total, model, errors } = await inspectInput(
    files.pathOf(file.id),
    file.sizeBytes,
    batch.endpoint,
  );
  if (errors.length > 0) {
    batch.errors = errors;
    moveTo(batch, "failed");
    return false;
  }
  batch.counts.total = total;
  batch.model = model;
  return true;
}

async function process(
  batch: OpenAiBatch,
  files: OpenAiFiles,
  pace: Pace,
): Promise<void> {
  const output = new ResultFile(files, "output");
  const errors = new ResultFile(files, "error");
  try {
    await answerAll(batch, files, pace, { output, errors });
    if (!isCancelling(batch)) moveTo(batch, "finalizing");
    await pace.stage();
  } finally {
    await Promise.all([output.close(), errors.close()]);
  }
  batch.outputFileId = output.register(batch);
  batch.errorFileId = errors.register(batch);
}

const requestLine = z.looseObject({
  custom_id: z.string(),
  body: z.unknown(),
});

async function answerAll(
  batch: OpenAiBatch,
  files: OpenAiFiles,
  pace: Pace,
  results: { readonly output: ResultFile; readonly errors: ResultFile },
): Promise<void> {
  const { counts, usage } = batch;
  const steps = Math.min(PROGRESS_STEPS, counts.total);
  let count = 0;
  let step = 0;
  for await (const line of readJsonLines(files.pathOf(batch.inputFileId))) {
    const { custom_id, body } = requestLine.parse(line.value);
    if (isCancelling(batch)) {
      await results.errors.write(cancelledLine(batch, custom_id));
      continue;
    }
    const answer = answerRecord(batch.endpoint, body);
    usage.inputTokens += answer.inputTokens;
    usage.outputTokens += answer.outputTokens;
    const isError = answer.status >= 400;
    const { output, errors } = results;
    await (isError ? errors : output).write({
      id: requestIdOf(batch, custom_id),
      custom_id,
      response: {
        status_code: answer.status,
        request_id: newRequestId(),
        body: answer.body,
      },
      error: null,
    });
    if (isError) counts.failed += 1;
    else counts.completed += 1;
    count += 1;
    if (count * steps < (step + 1) * counts.total) continue;
    step += 1;
    await pace.stage(1 / steps);
  }
}

function cancelledLine(batch: OpenAiBatch, customId: string): unknown {
  return {
    id: requestIdOf(batch, customId),
    custom_id: customId,
    response: null,
    error: {
      code: "batch_cancelled",
      message: "This request was not executed because the batch was cancelled.",
    },
  };
}

function requestIdOf(batch: OpenAiBatch, customId: string): string {
  return `batch_req_${sha256Hex(`${batch.id} ${customId}`).slice(0, 32)}`;
}

/** A result file, which comes to be only when there is something in it. */
class ResultFile {
  readonly #id = newFileId();
  readonly #files: OpenAiFiles;
  readonly #kind: "output" | "error";
  #writer: JsonLinesWriter | null = null;
  #group: unknown[] = [];

  constructor(files: OpenAiFiles, kind: "output" | "error") {
    this.#files = files;
    this.#kind = kind;
  }

  async write(line: unknown): Promise<void> {
    this.#group.push(line);
    if (this.#group.length >= SHUFFLE_LINES) await this.#writeGroup();
  }

  async close(): Promise<void> {
    await this.#writeGroup();
    await this.#writer?.close();
  }

  /** Shows the file in the account; null where nothing was written. */
  register(batch: OpenAiBatch): string | null {
    if (this.#writer === null) return null;
    const createdAt = nowSeconds();
    this.#files.add({
      id: this.#id,
      purpose: "batch_output",
      fileName: `${batch.id}_${this.#kind}.jsonl`,
      sizeBytes: this.#writer.sizeBytes,
      createdAt,
      expiresAt: createdAt + (batch.outputLifeSeconds ?? OUTPUT_LIFE_SECONDS),
    });
    return this.#id;
  }

  async #writeGroup(): Promise<void> {
    const lines = this.#group.reverse();
    this.#group = [];
    for (const line of lines) {
      this.#writer ??= await JsonLinesWriter.create(
        this.#files.pathOf(this.#id),
      );
      await this.#writer.write(line);
    }
  }
}
