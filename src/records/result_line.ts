import { z } from "zod";

/** What one line of a provider's results says about its record. */
export interface ResultLine {
  readonly succeeded: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Providers whose own result lines the gateway collects. */
export type ResultFormat = "openai" | "gemini";

const count = z.number().nonnegative().catch(0);

/** Covers chat completions, responses and embeddings, by OpenAI's guides. */
const openAiLine = z.object({
  response: z.object({
    status_code: z.number().catch(0),
    body: z.object({
      usage: z.object({
        prompt_tokens: count.optional(),
        completion_tokens: count.optional(),
        input_tokens: count.optional(),
        output_tokens: count.optional(),
      }).nullish().catch(null),
    }).nullish().catch(null),
  }).nullish().catch(null),
  error: z.unknown().optional(),
});

const geminiLine = z.object({
  response: z.object({
    usageMetadata: z.object({
      promptTokenCount: count.optional(),
      toolUsePromptTokenCount: count.optional(),
      candidatesTokenCount: count.optional(),
      thoughtsTokenCount: count.optional(),
    }).nullish().catch(null),
  }).nullish().catch(null),
  error: z.unknown().optional(),
});

const UNREADABLE: ResultLine = {
  succeeded: false,
  inputTokens: 0,
  outputTokens: 0,
};

const decoder = new TextDecoder();

/** Reads one result line; an unreadable one counts as a failed record. */
export function readResultLine(
  format: ResultFormat,
  line: Uint8Array,
): ResultLine {
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(line));
  } catch {
    return UNREADABLE;
  }
  return format === "openai" ? readOpenAiLine(json) : readGeminiLine(json);
}

function readOpenAiLine(json: unknown): ResultLine {
  const parsed = openAiLine.safeParse(json);
  if (!parsed.success) return UNREADABLE;
  const { response, error } = parsed.data;
  const usage = response?.body?.usage;
  const status = response?.status_code ?? 0;
  return {
    succeeded: (error === null || error === undefined) &&
      status >= 200 && status < 300,
    inputTokens: usage?.prompt_tokens ?? usage?.input_tokens ?? 0,
    outputTokens: usage?.completion_tokens ?? usage?.output_tokens ?? 0,
  };
}

function readGeminiLine(json: unknown): ResultLine {
  const parsed = geminiLine.safeParse(json);
  if (!parsed.success) return UNREADABLE;
  const { response, error } = parsed.data;
  const usage = response?.usageMetadata;
  return {
    succeeded: (error === null || error === undefined) &&
      response !== null && response !== undefined,
    inputTokens: (usage?.promptTokenCount ?? 0) +
      (usage?.toolUsePromptTokenCount ?? 0),
    outputTokens: (usage?.candidatesTokenCount ?? 0) +
      (usage?.thoughtsTokenCount ?? 0),
  };
}
