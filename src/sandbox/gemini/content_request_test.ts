import { assertThrows } from "@std/assert";
import { checkContentRequest } from "./content_request.ts";
import { GoogleError } from "./error.ts";

const hi = { role: "user", parts: [{ text: "Hi" }] };
const call = { role: "model", parts: [{ functionCall: { name: "f" } }] };
const result = {
  role: "user",
  parts: [{ functionResponse: { name: "f", response: { result: 1 } } }],
};
const schema = { type: "object", max_items: 1 };

for (
  const { name, request } of [
    { name: "a plain question", request: { contents: [hi] } },
    {
      name: "contents without roles",
      request: { contents: [{ parts: [{ text: "x" }] }] },
    },
    {
      name: "names in snake_case",
      request: {
        contents: [hi],
        system_instruction: { parts: [{ text: "x" }] },
        generation_config: {
          max_output_tokens: 5,
          stop_sequences: ["a"],
          thinking_config: { thinking_budget: 0 },
        },
      },
    },
    {
      name: "media, calls and results",
      request: {
        contents: [
          {
            role: "user",
            parts: [
              { inlineData: { mimeType: "image/png", data: "AAAA" } },
              { fileData: { fileUri: "https://a/b" } },
            ],
          },
          call,
          result,
          { role: "model", parts: [{ text: "x", thought: true }] },
        ],
        tools: [{
          functionDeclarations: [{ name: "f", parametersJsonSchema: schema }],
        }, { googleSearch: {} }],
        toolConfig: {
          functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["f"] },
        },
        generationConfig: {
          responseMimeType: "application/json",
          responseJsonSchema: schema,
        },
      },
    },
  ]
) {
  Deno.test(`checkContentRequest() takes ${name}`, () => {
    checkContentRequest(request);
  });
}

for (
  const { name, request, text } of [
    {
      name: "no contents",
      request: { contents: [] },
      text: "contents is not specified",
    },
    {
      name: "an unknown name",
      request: { contents: [hi], generationConfig: { maxTokens: 1 } },
      text: `Unknown name "maxTokens" at 'generation_config'`,
    },
    {
      name: "another format's role",
      request: { contents: [{ role: "assistant", parts: [{ text: "x" }] }] },
      text: "Please use a valid role: user, model.",
    },
    {
      name: "a part without data",
      request: { contents: [{ role: "user", parts: [{}] }] },
      text: "required oneof field 'data'",
    },
    {
      name: "a part with two kinds of data",
      request: {
        contents: [{
          role: "user",
          parts: [{ text: "x", fileData: { fileUri: "y" } }],
        }],
      },
      text: "required oneof field 'data'",
    },
    {
      name: "a result without a call",
      request: { contents: [hi, result] },
      text: "comes immediately after a function call turn",
    },
    {
      name: "a call without a result",
      request: { contents: [hi, call, hi] },
      text: "number of function response parts",
    },
    {
      name: "a schema for free text",
      request: {
        contents: [hi],
        generationConfig: { responseJsonSchema: schema },
      },
      text: "needs application/json",
    },
    {
      name: "allowed names in another mode",
      request: {
        contents: [hi],
        toolConfig: { functionCallingConfig: { allowedFunctionNames: ["f"] } },
      },
      text: "mode must be ANY",
    },
  ]
) {
  Deno.test(`checkContentRequest() refuses ${name}`, () => {
    assertThrows(() => checkContentRequest(request), GoogleError, text);
  });
}
