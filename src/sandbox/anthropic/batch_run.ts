import { z } from "zod";
import { answerFor } from "../answer.ts";
import { sha256Hex } from "../digest/conversation.ts";
import { JsonLinesWriter, readJsonLines } from "../jsonl.ts";
import { ClosedError, type DataFolder, type Pace } from "../simulator.ts";
import { AnthropicError, newId } from "./error.ts";
import { checkMessageRequest } from "./message_request.ts";

/** How many times a running batch looks whether it is to be cancelled. */
const STEPS_MAX = 10;
/** Results come back in another order than the requests went in. */
const SHUFFLE_LINES = 8;

/** A batch as the workspace knows it; its run moves it on. */
export interface MessageBatch {
  readonly id: string;
  /** The API version of the call that made it; its requests obey it too. */
  readonly version: string;
  readonly total: number;
  readonly createdAtMs: number;
  status: "in_progress" | "canceling" | "ended";
  cancelInitiatedAtMs: number | null;
  endedAtMs: number | null;
  readonly counts: { succeeded: number; errored: number; canceled: number };
}

/** Names of a batch's files in the data folder. */
export function requestsName(batchId: string): string {
  return `${batchId}.requests`;
}

export function resultsName(batchId: string): string {
  return `${batchId}.results`;
}

/** Takes one batch through its life, at the simulator's pace. */
export async function runBatch(
  batch: MessageBatch,
  folder: DataFolder,
  pace: Pace,
): Promise<void> {
  const writer = await JsonLinesWriter.create(
    folder.pathOf(resultsName(batch.id)),
  );
  try {
    await pace.stage();
    await answerAll(batch, folder, pace, writer);
    await pace.stage();
  } catch (error) {
    // Results written so far are all that a broken batch shows.
    if (error instanceof ClosedError) throw error;
  } finally {
    await writer.close();
    await folder.remove(requestsName(batch.id));
  }
  batch.status = "ended";
  batch.endedAtMs = Date.now();
}

const requestLine = z.object({ custom_id: z.string(), params: z.unknown() });

async function answerAll(
  batch: MessageBatch,
  folder: DataFolder,
  pace: Pace,
  writer: JsonLinesWriter,
): Promise<void> {
  const path = folder.pathOf(requestsName(batch.id));
  const steps = Math.min(STEPS_MAX, batch.total);
  let count = 0;
  let step = 0;
  let group: unknown[] = [];
  for await (const { value } of readJsonLines(path)) {
    const { custom_id, params } = requestLine.parse(value);
    group.push({ custom_id, result: resultOf(batch, params) });
    count += 1;
    if (group.length >= SHUFFLE_LINES || count === batch.total) {
      for (const line of group.reverse()) await writer.write(line);
      group = [];
    }
    if (count * steps < (step + 1) * batch.total) continue;
    step += 1;
    if (batch.status !== "canceling") await pace.stage(1 / steps);
  }
}

function resultOf(batch: MessageBatch, params: unknown): unknown {
  const { counts } = batch;
  if (batch.status === "canceling") {
    counts.canceled += 1;
    return { type: "canceled" };
  }
  try {
    const message = answerMessage(params, batch.version);
    counts.succeeded += 1;
    return { type: "succeeded", message };
  } catch (error) {
    const failure = error instanceof AnthropicError
      ? error
      : new AnthropicError("api_error", String(error));
    counts.errored += 1;
    return { type: "errored", error: failure.toBody(newId("req")) };
  }
}

const withModel = z.looseObject({ model: z.string() });

function answerMessage(params: unknown, version: string): unknown {
  checkMessageRequest(params, version);
  const answer = answerFor("anthropic", params);
  if (answer.failure !== null) {
    throw new AnthropicError("invalid_request_error", answer.failure.message);
  }
  const { toolCall, inputTokens, outputTokens } = answer;
  const call = toolCall === null ? [] : [{
    type: "tool_use",
    id: toolCall.id.replace(/^call_/, "toolu_"),
    name: toolCall.name,
    input: toolCall.input,
  }];
  return {
    id: `msg_01${sha256Hex(answer.text).slice(0, 22)}`,
    type: "message",
    role: "assistant",
    model: withModel.parse(params).model,
    content: [{ type: "text", text: answer.text, citations: null }, ...call],
    stop_reason: toolCall === null ? "end_turn" : "tool_use",
    stop_sequence: null,
    usage: {
      input_tokens: inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: outputTokens,
      service_tier: "batch",
    },
  };
}
