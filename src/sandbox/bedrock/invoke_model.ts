import { createHash } from "node:crypto";
import { z } from "zod";
import { type Answer, answerFor } from "../answer.ts";
import { converseMessages, converseSystem } from "./converse.ts";
import { firstProblem } from "./problem.ts";
import type { RecordFormat } from "./record.ts";

/** The body that an InvokeModel record must have depends on the model. */
export function invokeFormatOf(modelId: string): RecordFormat {
  if (/(^|[./])amazon\.nova/.test(modelId)) return NOVA;
  if (/(^|[./])amazon\.titan-text/.test(modelId)) return TITAN;
  return ANTHROPIC;
}

/** "Anthropic Claude Messages API" in the Bedrock User Guide. */
const anthropicSchema = z.strictObject({
  anthropic_version: z.literal("bedrock-2023-05-31"),
  anthropic_beta: z.array(z.string()).optional(),
  max_tokens: z.int().min(1),
  messages: z.array(z.strictObject({
    role: z.enum(["user", "assistant", "system"]),
    content: z.union([
      z.string().min(1),
      z.array(z.looseObject({ type: z.string() })).min(1),
    ]),
  })).min(1),
  system: z.union([
    z.string(),
    z.array(z.looseObject({ type: z.literal("text"), text: z.string() })),
  ]).optional(),
  stop_sequences: z.array(z.string().min(1)).optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
  tool_choice: z.looseObject({
    type: z.enum(["auto", "any", "tool", "none"]),
  }).optional(),
  thinking: z.looseObject({ type: z.string() }).optional(),
  output_config: z.unknown().optional(),
  metadata: z.unknown().optional(),
});

const ANTHROPIC: RecordFormat = {
  problemOf: (modelInput) => firstProblem(anthropicSchema, modelInput),
  answer: (modelInput) => answerFor("anthropic", modelInput),
  output: anthropicOutput,
};

/** "Complete request schema" in the Amazon Nova User Guide. */
const novaSchema = z.strictObject({
  schemaVersion: z.literal("messages-v1").optional(),
  messages: converseMessages,
  system: converseSystem.optional(),
  inferenceConfig: z.strictObject({
    maxTokens: z.int().min(1).optional(),
    temperature: z.number().min(0).max(1).optional(),
    topP: z.number().min(0).max(1).optional(),
    topK: z.int().min(0).max(128).optional(),
    stopSequences: z.array(z.string()).optional(),
  }).optional(),
  toolConfig: z.unknown().optional(),
});

const NOVA: RecordFormat = {
  problemOf: (modelInput) => firstProblem(novaSchema, modelInput),
  answer: ({ schemaVersion: _, ...body }) => answerFor("converse", body),
  output: novaOutput,
};

/** "Amazon Titan Text models" in the Bedrock User Guide. */
const titanSchema = z.strictObject({
  inputText: z.string().min(1),
  textGenerationConfig: z.strictObject({
    maxTokenCount: z.int().min(0).optional(),
    temperature: z.number().min(0).max(1).optional(),
    topP: z.number().min(0).max(1).optional(),
    stopSequences: z.array(z.string()).optional(),
  }).optional(),
});

const TITAN: RecordFormat = {
  problemOf: (modelInput) => firstProblem(titanSchema, modelInput),
  answer(modelInput) {
    const { inputText, textGenerationConfig } = titanSchema.parse(modelInput);
    const { maxTokenCount, ...inference } = textGenerationConfig ?? {};
    return answerFor("converse", {
      messages: [{ role: "user", content: [{ text: inputText }] }],
      inferenceConfig: { ...inference, maxTokens: maxTokenCount },
    });
  },
  output: ({ text, inputTokens, outputTokens }) => ({
    inputTextTokenCount: inputTokens,
    results: [{
      tokenCount: outputTokens,
      outputText: text,
      completionReason: "FINISH",
    }],
  }),
};

function anthropicOutput(answer: Answer, modelId: string): unknown {
  const { text, toolCall } = answer;
  const content: unknown[] = [{ type: "text", text }];
  if (toolCall !== null) content.push({ type: "tool_use", ...toolCall });
  const digest = createHash("sha256").update(text).digest("hex");
  return {
    model: modelId.slice(modelId.lastIndexOf("/") + 1),
    id: `msg_bdrk_${digest.slice(0, 24)}`,
    type: "message",
    role: "assistant",
    content,
    stop_reason: toolCall === null ? "end_turn" : "tool_use",
    stop_sequence: null,
    usage: {
      input_tokens: answer.inputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: answer.outputTokens,
    },
  };
}

function novaOutput(answer: Answer): unknown {
  const { text, toolCall, inputTokens, outputTokens } = answer;
  const content: unknown[] = [{ text }];
  if (toolCall !== null) {
    const { id, name, input } = toolCall;
    content.push({ toolUse: { toolUseId: id, name, input } });
  }
  return {
    output: { message: { content, role: "assistant" } },
    stopReason: toolCall === null ? "end_turn" : "tool_use",
    usage: {
      inputTokens,
      outputTokens,
      totalTokens: inputTokens + outputTokens,
    },
  };
}
