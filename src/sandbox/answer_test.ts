import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { answerFor, type RequestFormat } from "./answer.ts";

const PNG = "iVBORw0KGgo=";
const PDF = "JVBERi0xLjQK";
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

/** One conversation with everything in it, as each format spells it. */
const EVERYTHING: Record<RequestFormat, unknown> = {
  converse: {
    system: [{ text: "Be brief." }, { text: "Be kind." }],
    messages: [
      {
        role: "user",
        content: [
          { text: "Look" },
          { image: { format: "png", source: { bytes: PNG } } },
          { document: { format: "pdf", name: "a", source: { bytes: PDF } } },
        ],
      },
      {
        role: "assistant",
        content: [
          { text: "One moment" },
          { toolUse: { toolUseId: "t1", name: "f", input: { city: "Rome" } } },
        ],
      },
      {
        role: "user",
        content: [
          {
            toolResult: {
              toolUseId: "t1",
              content: [{ json: { b: 1, a: 2 } }],
            },
          },
          { text: "And now?" },
        ],
      },
    ],
    toolConfig: {
      tools: [{
        toolSpec: {
          name: "f",
          description: "Finds",
          inputSchema: { json: SCHEMA },
        },
      }],
      toolChoice: { any: {} },
    },
    inferenceConfig: {
      maxTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      stopSequences: ["END"],
    },
    outputConfig: {
      effort: "low",
      textFormat: {
        type: "json_schema",
        structure: {
          jsonSchema: { name: "s", schema: JSON.stringify(SCHEMA) },
        },
      },
    },
  },
  anthropic: {
    model: "m",
    max_tokens: 100,
    temperature: 0.5,
    top_p: 0.9,
    stop_sequences: ["END"],
    system: "Be brief.\n\nBe kind.",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          {
            type: "image",
            source: { type: "base64", media_type: "image/png", data: PNG },
          },
          {
            type: "document",
            title: "a",
            source: {
              type: "base64",
              media_type: "application/pdf",
              data: PDF,
            },
          },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "text", text: "One moment" },
          { type: "tool_use", id: "x9", name: "f", input: { city: "Rome" } },
        ],
      },
      {
        role: "user",
        content: [
          {
            type: "tool_result",
            tool_use_id: "x9",
            content: [{ type: "text", text: '{"a":2,"b":1}' }],
          },
          { type: "text", text: "And now?" },
        ],
      },
    ],
    tools: [{ name: "f", description: "Finds", input_schema: SCHEMA }],
    tool_choice: { type: "any" },
    output_config: {
      effort: "low",
      format: { type: "json_schema", schema: SCHEMA },
    },
  },
  openai: {
    model: "m",
    max_completion_tokens: 100,
    temperature: 0.5,
    top_p: 0.9,
    stop: "END",
    reasoning_effort: "low",
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "system", content: [{ type: "text", text: "Be kind." }] },
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          {
            type: "image_url",
            image_url: { url: `data:image/png;base64,${PNG}` },
          },
          {
            type: "file",
            file: {
              filename: "a.pdf",
              file_data: `data:application/pdf;base64,${PDF}`,
            },
          },
        ],
      },
      {
        role: "assistant",
        content: "One moment",
        tool_calls: [{
          id: "call_1",
          type: "function",
          function: { name: "f", arguments: '{"city":"Rome"}' },
        }],
      },
      { role: "tool", tool_call_id: "call_1", content: '{"b":1,"a":2}' },
      { role: "user", content: "And now?" },
    ],
    tools: [{
      type: "function",
      function: { name: "f", description: "Finds", parameters: SCHEMA },
    }],
    tool_choice: "required",
    response_format: {
      type: "json_schema",
      json_schema: { name: "s", schema: SCHEMA },
    },
  },
  gemini: {
    system_instruction: { parts: [{ text: "Be brief.\nBe kind." }] },
    contents: [
      {
        role: "user",
        parts: [
          { text: "Look" },
          { inlineData: { mimeType: "image/png", data: PNG } },
          { inline_data: { mime_type: "application/pdf", data: PDF } },
        ],
      },
      {
        role: "model",
        parts: [
          { text: "One moment" },
          { functionCall: { name: "f", args: { city: "Rome" } } },
        ],
      },
      {
        role: "user",
        parts: [
          {
            functionResponse: {
              name: "f",
              response: { result: { a: 2, b: 1 } },
            },
          },
          { text: "And now?" },
        ],
      },
    ],
    tools: [{
      functionDeclarations: [{
        name: "f",
        description: "Finds",
        parameters: {
          type: "OBJECT",
          properties: { city: { type: "STRING" } },
          required: ["city"],
        },
      }],
    }],
    toolConfig: { functionCallingConfig: { mode: "ANY" } },
    generationConfig: {
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      stopSequences: ["END"],
      responseMimeType: "application/json",
      responseJsonSchema: SCHEMA,
      thinkingConfig: { thinkingLevel: "LOW" },
    },
  },
};

for (const format of ["anthropic", "openai", "gemini"] as const) {
  Deno.test(`answerFor() reads ${format} as it reads converse`, () => {
    const want = answerFor("converse", EVERYTHING.converse);
    assertEquals(answerFor(format, EVERYTHING[format]), want);
  });
}

Deno.test("answerFor() shows the question and every field it received", () => {
  const { text, failure, toolCall } = answerFor("converse", {
    messages: [{
      role: "user",
      content: [{ text: "What is 1 + 1?\nAnswer briefly." }],
    }],
    inferenceConfig: { maxTokens: 100 },
  });
  assertEquals(
    text.replace(/turns=1:[0-9a-f]{8} /, "turns=1:<hash> "),
    'Answer to "What is 1 + 1? Answer briefly." [turns=1:<hash> ' +
      "system=none images=none documents=none reasoning=none tools=none " +
      "strict=0 choice=none toolErrors=0 stop=none max=100 temp=none " +
      "topP=none topK=none schema=none effort=none thinking=none extra=none]",
  );
  assertEquals(failure, null);
  assertEquals(toolCall, null);
});

Deno.test("answerFor() puts the digest into the JSON that a schema asks for", () => {
  const { text } = answerFor("openai", EVERYTHING.openai);
  const { city }: { city: string } = JSON.parse(text);
  assert(city.startsWith('Answer to "And now?" [turns=3:'));
});

/** Every single loss must change the answer. */
for (
  const { name, lose } of [
    { name: "a system text", lose: { system: [{ text: "Be brief." }] } },
    { name: "the tools", lose: { toolConfig: {} } },
    { name: "the effort and schema", lose: { outputConfig: {} } },
    { name: "the limits", lose: { inferenceConfig: {} } },
    { name: "a stranger's member", lose: { guardrailConfig: { a: 1 } } },
  ]
) {
  Deno.test(`answerFor() shows the loss or change of ${name}`, () => {
    const whole = Object(EVERYTHING.converse);
    assertNotEquals(
      answerFor("converse", { ...whole, ...lose }).text,
      answerFor("converse", whole).text,
    );
  });
}

for (
  const { name, from, to } of [
    { name: "an image", from: PNG, to: "iVBORw0KGgs=" },
    { name: "a document", from: PDF, to: "JVBERi0xLjUK" },
    { name: "a tool's input", from: "Rome", to: "Bonn" },
    { name: "a tool's result", from: '"b":1', to: '"b":3' },
    {
      name: "the call that a result answers",
      from: '"x9","name"',
      to: '"x8","name"',
    },
    { name: "a role", from: '"assistant"', to: '"user"' },
    { name: "a stop sequence", from: "END", to: "ENDE" },
  ]
) {
  Deno.test(`answerFor() tells ${name} from another`, () => {
    const format = name.startsWith("the call") ? "anthropic" : "converse";
    const text = JSON.stringify(EVERYTHING[format]);
    assert(text.includes(from));
    assertNotEquals(
      answerFor(format, JSON.parse(text.replace(from, to))).text,
      answerFor(format, EVERYTHING[format]).text,
    );
  });
}

Deno.test("answerFor() fails a record that asks for it", () => {
  const { failure } = answerFor("anthropic", {
    messages: [{ role: "user", content: "Please fail this one." }],
  });
  assertEquals(failure?.status, 400);
});

Deno.test("answerFor() calls the first tool when asked to", () => {
  const { toolCall } = answerFor("gemini", {
    contents: [{ role: "user", parts: [{ text: "Use the tool now" }] }],
    tools: [{
      functionDeclarations: [
        { name: "first", parametersJsonSchema: SCHEMA },
        { name: "second" },
      ],
    }],
  });
  assertEquals(toolCall?.name, "first");
  assertEquals(toolCall?.input, { city: "sandbox" });
});

Deno.test("answerFor() shows that a tool's result was an error", () => {
  const call = [{ toolUse: { toolUseId: "t", name: "f", input: {} } }];
  const result = { toolUseId: "t", content: [{ text: "no" }], status: "error" };
  const { text } = answerFor("converse", {
    messages: [
      { role: "assistant", content: call },
      { role: "user", content: [{ toolResult: result }] },
    ],
  });
  assert(text.includes("toolErrors=1"));
});

Deno.test("answerFor() reads OpenAI's responses like its chat", () => {
  const response = answerFor("openai", {
    instructions: "Be brief.",
    input: [{ role: "user", content: [{ type: "input_text", text: "Hi" }] }],
    max_output_tokens: 9,
    reasoning: { effort: "low" },
    text: { format: { type: "json_schema", name: "s", schema: SCHEMA } },
    tools: [{ type: "function", name: "f", parameters: SCHEMA }],
  });
  const chat = answerFor("openai", {
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
    ],
    max_completion_tokens: 9,
    reasoning_effort: "low",
    response_format: { type: "json_schema", json_schema: { schema: SCHEMA } },
    tools: [{ type: "function", function: { name: "f", parameters: SCHEMA } }],
  });
  assertEquals(response, chat);
});

Deno.test("answerFor() answers whatever it is given", () => {
  for (const format of ["converse", "anthropic", "openai", "gemini"] as const) {
    for (
      const request of [null, 1, "x", [], {}, { messages: 1, contents: 2 }]
    ) {
      assert(answerFor(format, request).text.startsWith("Answer to"));
    }
  }
});
