import { assertEquals } from "@std/assert";
import { inferInvocationType } from "./invocation_type.ts";

const CASES: {
  name: string;
  record: unknown;
  want: "Converse" | "InvokeModel" | null;
}[] = [
  {
    name: "text blocks without a type as Converse",
    record: {
      recordId: "1",
      modelInput: { messages: [{ role: "user", content: [{ text: "hi" }] }] },
    },
    want: "Converse",
  },
  {
    name: "an inferenceConfig as Converse",
    record: { modelInput: { messages: [], inferenceConfig: {} } },
    want: "Converse",
  },
  {
    name: "an Anthropic Messages body as InvokeModel",
    record: {
      modelInput: {
        anthropic_version: "bedrock-2023-05-31",
        max_tokens: 10,
        messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }],
      },
    },
    want: "InvokeModel",
  },
  {
    name: "typed blocks as InvokeModel",
    record: {
      modelInput: {
        messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }],
      },
    },
    want: "InvokeModel",
  },
  {
    name: "a Titan body as InvokeModel",
    record: { modelInput: { inputText: "hi" } },
    want: "InvokeModel",
  },
  {
    name: "another provider's record as nothing",
    record: { custom_id: "1", body: {} },
    want: null,
  },
  { name: "no object as nothing", record: "text", want: null },
];

for (const { name, record, want } of CASES) {
  Deno.test(`inferInvocationType() reads ${name}`, () => {
    assertEquals(inferInvocationType(record), want);
  });
}
