import { assertEquals } from "@std/assert";
import { readResultLine, type ResultLine } from "./result_line.ts";

const CASES: {
  name: string;
  format: "openai" | "gemini";
  line: unknown;
  want: ResultLine;
}[] = [
  {
    name: "a chat completion",
    format: "openai",
    line: {
      custom_id: "a",
      response: {
        status_code: 200,
        body: { usage: { prompt_tokens: 3, completion_tokens: 4 } },
      },
      error: null,
    },
    want: { succeeded: true, inputTokens: 3, outputTokens: 4 },
  },
  {
    name: "an answer of the responses API",
    format: "openai",
    line: {
      response: {
        status_code: 200,
        body: { usage: { input_tokens: 5, output_tokens: 6 } },
      },
    },
    want: { succeeded: true, inputTokens: 5, outputTokens: 6 },
  },
  {
    name: "a refused record",
    format: "openai",
    line: {
      response: { status_code: 400, body: { error: { message: "no" } } },
      error: null,
    },
    want: { succeeded: false, inputTokens: 0, outputTokens: 0 },
  },
  {
    name: "a record that expired",
    format: "openai",
    line: { response: null, error: { code: "batch_expired" } },
    want: { succeeded: false, inputTokens: 0, outputTokens: 0 },
  },
  {
    name: "a Gemini answer with thoughts",
    format: "gemini",
    line: {
      key: "a",
      response: {
        usageMetadata: {
          promptTokenCount: 3,
          candidatesTokenCount: 4,
          thoughtsTokenCount: 5,
        },
      },
    },
    want: { succeeded: true, inputTokens: 3, outputTokens: 9 },
  },
  {
    name: "a Gemini error",
    format: "gemini",
    line: { key: "a", error: { code: 3, message: "no" } },
    want: { succeeded: false, inputTokens: 0, outputTokens: 0 },
  },
];

for (const { name, format, line, want } of CASES) {
  Deno.test(`readResultLine() counts ${name}`, () => {
    const bytes = new TextEncoder().encode(JSON.stringify(line));
    assertEquals(readResultLine(format, bytes), want);
  });
}

Deno.test("readResultLine() counts what is no JSON as a failed record", () => {
  const want = { succeeded: false, inputTokens: 0, outputTokens: 0 };
  const bytes = new TextEncoder().encode("<html>");
  assertEquals(readResultLine("openai", bytes), want);
});
