import { z } from "zod";
import { type Answer, answerFor } from "../answer.ts";
import { sha256Hex } from "../digest/conversation.ts";
import { chatFailure, issueFailure } from "./chat_request.ts";
import { errorBody, type OpenAiFailure } from "./error.ts";
import { nowSeconds } from "./upload_form.ts";

/** Short vectors unless told otherwise, to keep result files small. */
const DIMENSIONS_DEFAULT = 16;
const DIMENSIONS_MAX = 3072;

/** What one record of a batch came to. */
export interface RecordAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

const embeddingsRequest = z.looseObject({
  model: z.string(),
  input: z.union([
    z.string().min(1),
    z.array(z.union([z.string().min(1), z.number(), z.array(z.number())]))
      .min(1).max(2048),
  ]),
  dimensions: z.int().min(1).max(DIMENSIONS_MAX).optional(),
});

const responsesRequest = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.looseObject({})).min(1)]),
  max_output_tokens: z.int().min(16).nullish(),
  stream: z.literal([false]).nullish(),
});

/** Answers the body of one record that was sent to `endpoint`. */
export function answerRecord(endpoint: string, body: unknown): RecordAnswer {
  switch (endpoint) {
    case "/v1/chat/completions":
      return chat(body);
    case "/v1/responses":
      return response(body);
    case "/v1/embeddings":
      return embeddings(body);
    default:
      return failed({
        status: 400,
        message: `The sandbox does not answer requests to ${endpoint}.`,
        code: "not_simulated",
      });
  }
}

function failed(failure: OpenAiFailure): RecordAnswer {
  const body = errorBody(failure);
  return { status: failure.status, body, inputTokens: 0, outputTokens: 0 };
}

function chat(body: unknown): RecordAnswer {
  const failure = chatFailure(body);
  if (failure !== null) return failed(failure);
  const answer = answerFor("openai", body);
  if (answer.failure !== null) return failed(answer.failure);
  const message = {
    role: "assistant",
    content: answer.text,
    ...(answer.toolCall === null
      ? {}
      : { tool_calls: [chatToolCall(answer.toolCall)] }),
    refusal: null,
    annotations: [],
  };
  return answered(answer, {
    id: `chatcmpl-${sha256Hex(answer.text).slice(0, 29)}`,
    object: "chat.completion",
    created: nowSeconds(),
    model: modelOf(body),
    choices: [{
      index: 0,
      message,
      logprobs: null,
      finish_reason: answer.toolCall === null ? "stop" : "tool_calls",
    }],
    usage: {
      prompt_tokens: answer.inputTokens,
      completion_tokens: answer.outputTokens,
      total_tokens: answer.inputTokens + answer.outputTokens,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
    },
    service_tier: "default",
    system_fingerprint: null,
  });
}

function chatToolCall(call: NonNullable<Answer["toolCall"]>): unknown {
  return {
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.input) },
  };
}

function response(body: unknown): RecordAnswer {
  const parsed = responsesRequest.safeParse(body);
  if (!parsed.success) return failed(issueFailure(parsed.error));
  const answer = answerFor("openai", body);
  if (answer.failure !== null) return failed(answer.failure);
  const hash = sha256Hex(answer.text).slice(0, 48);
  const { toolCall } = answer;
  const message = {
    id: `msg_${hash}`,
    type: "message",
    status: "completed",
    role: "assistant",
    content: [{ type: "output_text", text: answer.text, annotations: [] }],
  };
  const call = toolCall === null ? [] : [{
    id: `fc_${hash}`,
    type: "function_call",
    status: "completed",
    call_id: toolCall.id,
    name: toolCall.name,
    arguments: JSON.stringify(toolCall.input),
  }];
  return answered(answer, {
    id: `resp_${hash}`,
    object: "response",
    created_at: nowSeconds(),
    status: "completed",
    error: null,
    incomplete_details: null,
    model: parsed.data.model,
    output: [message, ...call],
    parallel_tool_calls: true,
    usage: usageOf(answer.inputTokens, answer.outputTokens),
    metadata: {},
  });
}

function embeddings(body: unknown): RecordAnswer {
  const parsed = embeddingsRequest.safeParse(body);
  if (!parsed.success) return failed(issueFailure(parsed.error));
  const { input, dimensions, model } = parsed.data;
  // A list of numbers is one text's tokens, any other list is several texts.
  const isTokens = Array.isArray(input) && typeof input[0] === "number";
  const inputs = Array.isArray(input) && !isTokens ? input : [input];
  const texts = inputs.map((entry) =>
    typeof entry === "string" ? entry : JSON.stringify(entry)
  );
  if (texts.some((text) => /please fail/i.test(text))) {
    return failed({ status: 400, message: "The input asked for a failure." });
  }
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  const inputTokens = Math.ceil(length / 4);
  return answered({ inputTokens, outputTokens: 0 }, {
    object: "list",
    data: texts.map((text, index) => ({
      object: "embedding",
      index,
      embedding: vectorOf(text, dimensions ?? DIMENSIONS_DEFAULT),
    })),
    model,
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
  });
}

/** Numbers between -1 and 1 that depend on the text alone. */
function vectorOf(text: string, dimensions: number): number[] {
  const vector: number[] = [];
  while (vector.length < dimensions) {
    const hash = sha256Hex(`${vector.length} ${text}`);
    for (let at = 0; at < 64 && vector.length < dimensions; at += 4) {
      const number = Number.parseInt(hash.slice(at, at + 4), 16);
      vector.push(Number((number / 32768 - 1).toFixed(6)));
    }
  }
  return vector;
}

function answered(
  tokens: { readonly inputTokens: number; readonly outputTokens: number },
  body: unknown,
): RecordAnswer {
  const { inputTokens, outputTokens } = tokens;
  return { status: 200, body, inputTokens, outputTokens };
}

/** Usage as responses and batches tell it. */
export function usageOf(inputTokens: number, outputTokens: number): unknown {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}

const withModel = z.looseObject({ model: z.string() });

function modelOf(body: unknown): string {
  return withModel.parse(body).model;
}
