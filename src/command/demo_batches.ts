import { z } from "zod";

/** One provider's part of the demo: where it uploads, and what. */
export interface DemoBatch {
  readonly provider: "bedrock" | "openai" | "gemini";
  readonly modelId: string;
  readonly bucket: string;
  readonly key: string;
  readonly outputUri: string;
  readonly roleArn: string;
  /** JSON lines in the provider's own format. */
  readonly records: string;
}

const QUESTIONS = [1, 2, 3].map((number) => ({
  id: `request-${number}`,
  text: `What is ${number} + ${number}? Answer briefly.`,
}));

const OPENAI_MODEL = "gpt-4o-mini";

export const DEMO_BATCHES: readonly DemoBatch[] = [
  {
    provider: "bedrock",
    modelId: "anthropic.claude-3-sonnet-20240229-v1:0",
    bucket: "your-s3-bucket",
    key: "finops-batch-input/demo.jsonl",
    outputUri: "s3://your-s3-bucket/finops-batch-output/",
    roleArn: "arn:aws:iam::123456789012:role/batch",
    records: jsonLines(({ id, text }) => ({
      recordId: id,
      modelInput: {
        messages: [{ role: "user", content: [{ text }] }],
        inferenceConfig: { maxTokens: 100 },
      },
    })),
  },
  {
    provider: "openai",
    modelId: OPENAI_MODEL,
    bucket: "openai-files",
    key: "demo.jsonl",
    outputUri: "s3://openai-output/",
    roleArn: "not-required-for-openai",
    records: jsonLines(({ id, text }) => ({
      custom_id: id,
      method: "POST",
      url: "/v1/chat/completions",
      body: {
        model: OPENAI_MODEL,
        messages: [{ role: "user", content: text }],
        max_tokens: 100,
      },
    })),
  },
  {
    provider: "gemini",
    modelId: "gemini-1.5-flash",
    bucket: "gemini-files",
    key: "demo.jsonl",
    outputUri: "s3://gemini-output/",
    roleArn: "not-required-for-gemini",
    records: jsonLines(({ id, text }) => ({
      key: id,
      request: {
        contents: [{ role: "user", parts: [{ text }] }],
        generationConfig: { maxOutputTokens: 100 },
      },
    })),
  },
];

function jsonLines(
  toRecord: (question: { id: string; text: string }) => unknown,
): string {
  return QUESTIONS.map((question) => JSON.stringify(toRecord(question)))
    .join("\n");
}

const text = z.object({ text: z.string() });

/** A result line of any of the three providers, as far as the demo shows it. */
const resultLine = z.union([
  z.object({
    recordId: z.string(),
    modelOutput: z.object({
      output: z.object({ message: z.object({ content: z.array(text) }) }),
    }),
  }).transform(({ recordId, modelOutput }) => ({
    id: recordId,
    answer: modelOutput.output.message.content[0]?.text,
  })),
  z.object({
    custom_id: z.string(),
    response: z.object({
      body: z.object({
        choices: z.array(
          z.object({ message: z.object({ content: z.string() }) }),
        ),
      }),
    }),
  }).transform(({ custom_id, response }) => ({
    id: custom_id,
    answer: response.body.choices[0]?.message.content,
  })),
  z.object({
    key: z.string(),
    response: z.object({
      candidates: z.array(
        z.object({ content: z.object({ parts: z.array(text) }) }),
      ),
    }),
  }).transform(({ key, response }) => ({
    id: key,
    answer: response.candidates[0]?.content.parts[0]?.text,
  })),
]);

/** `id: answer`, or the line itself where it is no success. */
export function readAnswer(line: string): string {
  const parsed = resultLine.safeParse(JSON.parse(line));
  if (!parsed.success) return line;
  return `${parsed.data.id}: ${parsed.data.answer ?? "(no text)"}`;
}
