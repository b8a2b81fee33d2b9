import { assertEquals } from "@std/assert";
import { chatFailure } from "./chat_request.ts";

const user = { role: "user", content: "Hi" };
const call = {
  id: "c1",
  type: "function",
  function: { name: "f", arguments: "{}" },
};
const tool = { type: "function", function: { name: "f", parameters: {} } };

for (
  const { name, body } of [
    { name: "a plain question", body: { messages: [user], max_tokens: 5 } },
    {
      name: "images, files and several texts",
      body: {
        messages: [
          { role: "developer", content: [{ type: "text", text: "x" }] },
          {
            role: "user",
            content: [
              {
                type: "image_url",
                image_url: { url: "data:image/png;base64,AAAA" },
              },
              { type: "image_url", image_url: { url: "https://a/b.png" } },
              {
                type: "file",
                file: { filename: "a.pdf", file_data: "data:x;base64,AAAA" },
              },
            ],
          },
        ],
      },
    },
    {
      name: "tool calls and their results",
      body: {
        messages: [
          user,
          { role: "assistant", content: null, tool_calls: [call] },
          { role: "tool", tool_call_id: "c1", content: "done" },
          user,
        ],
        tools: [tool],
        tool_choice: { type: "function", function: { name: "f" } },
        parallel_tool_calls: false,
      },
    },
    {
      name: "a reasoning model with its own limit",
      body: {
        model: "gpt-5-mini",
        messages: [user],
        max_completion_tokens: 5,
        reasoning_effort: "low",
        temperature: 1,
      },
    },
    {
      name: "a strict schema that is closed",
      body: {
        messages: [user],
        response_format: {
          type: "json_schema",
          json_schema: {
            name: "s",
            strict: true,
            schema: { type: "object", additionalProperties: false },
          },
        },
      },
    },
  ]
) {
  Deno.test(`chatFailure() takes ${name}`, () => {
    assertEquals(chatFailure({ model: "gpt-4o", ...body }), null);
  });
}

for (
  const { name, body, param, code } of [
    {
      name: "no messages",
      body: {},
      param: "messages",
      code: "missing_required_parameter",
    },
    {
      name: "an unknown parameter",
      body: { messages: [user], maxTokens: 5 },
      param: "maxTokens",
      code: "unknown_parameter",
    },
    {
      name: "another format's image",
      body: {
        messages: [{ role: "user", content: [{ type: "image" }] }],
      },
      param: "messages[0].content",
      code: "invalid_value",
    },
    {
      name: "streaming",
      body: { messages: [user], stream: true },
      param: "stream",
      code: "invalid_value",
    },
    {
      name: "five stop sequences",
      body: { messages: [user], stop: ["a", "b", "c", "d", "e"] },
      param: "stop",
      code: "invalid_value",
    },
    {
      name: "the older token limit on a reasoning model",
      body: { model: "o3", messages: [user], max_tokens: 5 },
      param: "max_tokens",
      code: "unsupported_parameter",
    },
    {
      name: "a temperature on a reasoning model",
      body: { model: "gpt-5", messages: [user], temperature: 0.5 },
      param: "temperature",
      code: "unsupported_value",
    },
    {
      name: "a tool's result without its call",
      body: {
        messages: [user, { role: "tool", tool_call_id: "c1", content: "x" }],
      },
      param: "messages.[1].role",
      code: "invalid_value",
    },
    {
      name: "a call that is not answered at once",
      body: {
        messages: [user, { role: "assistant", tool_calls: [call] }, user],
      },
      param: "messages",
      code: "invalid_value",
    },
    {
      name: "an assistant that says nothing",
      body: { messages: [user, { role: "assistant", content: null }] },
      param: "messages.[1].content",
      code: "invalid_value",
    },
    {
      name: "a tool choice without tools",
      body: { messages: [user], tool_choice: "required" },
      param: "tool_choice",
      code: "invalid_value",
    },
  ]
) {
  Deno.test(`chatFailure() refuses ${name}`, () => {
    const failure = chatFailure({ model: "gpt-4o", ...body });
    assertEquals([failure?.status, failure?.param, failure?.code], [
      400,
      param,
      code,
    ]);
  });
}
