import { z } from "zod";
import type { Answer } from "../answer.ts";
import { firstProblem } from "./problem.ts";

const BLOCK_KINDS = [
  "text",
  "image",
  "document",
  "video",
  "audio",
  "toolUse",
  "toolResult",
  "guardContent",
  "cachePoint",
  "reasoningContent",
  "citationsContent",
  "searchResult",
] as const;

/** A block is a union: exactly one of its members is set. */
const block = z.partialRecord(z.enum(BLOCK_KINDS), z.unknown()).refine(
  (members) => Object.keys(members).length === 1,
  "a content block must have exactly one member",
).refine(
  ({ text }) => text === undefined || typeof text === "string",
  "text must be a string",
);

export const converseMessages = z.array(z.strictObject({
  role: z.enum(["user", "assistant", "system"]),
  content: z.array(block).min(1),
})).min(1).refine(
  ([first]) => first?.role !== "assistant",
  "a conversation must start with a user message",
);

export const converseSystem = z.array(z.union([
  z.strictObject({ text: z.string().min(1) }),
  z.strictObject({ cachePoint: z.unknown() }),
  z.strictObject({ guardContent: z.unknown() }),
]));

/** Converse's request body (botocore model, bedrock-runtime/2023-09-30). */
const bodySchema = z.strictObject({
  messages: converseMessages,
  system: converseSystem.optional(),
  inferenceConfig: z.strictObject({
    maxTokens: z.int().min(1).optional(),
    temperature: z.number().min(0).max(1).optional(),
    topP: z.number().min(0).max(1).optional(),
    stopSequences: z.array(z.string().min(1)).max(2500).optional(),
  }).optional(),
  guardrailConfig: z.unknown().optional(),
  projectIdentifier: z.unknown().optional(),
  additionalModelRequestFields: z.unknown().optional(),
  additionalModelResponseFieldPaths: z.array(z.string()).optional(),
  promptVariables: z.unknown().optional(),
  requestMetadata: z.unknown().optional(),
  performanceConfig: z.unknown().optional(),
  serviceTier: z.unknown().optional(),
  outputConfig: z.unknown().optional(),
});

/** Why a record of a Converse job fails, or null. */
export function converseProblem(
  modelInput: Readonly<Record<string, unknown>>,
): string | null {
  const { toolConfig, ...rest } = modelInput;
  // Bedrock User Guide, "Process multiple prompts with batch inference".
  if (toolConfig !== undefined) {
    return "Tool use is not supported in batch inference with the Converse " +
      "API; use the InvokeModel type.";
  }
  const problem = firstProblem(bodySchema, rest);
  if (problem !== null) return problem;
  const { messages } = bodySchema.parse(rest);
  const usesTools = messages.some(({ content }) =>
    content.some((part) => "toolUse" in part || "toolResult" in part)
  );
  return usesTools
    ? "The toolConfig field must be defined when using toolUse and " +
      "toolResult content blocks."
    : null;
}

/** Converse's response body; batch results know no latency. */
export function converseOutput(answer: Answer): unknown {
  const { inputTokens, outputTokens } = answer;
  return {
    output: {
      message: { role: "assistant", content: [{ text: answer.text }] },
    },
    stopReason: "end_turn",
    usage: {
      inputTokens,
      outputTokens,
      totalTokens: inputTokens + outputTokens,
    },
    metrics: { latencyMs: 0 },
  };
}
