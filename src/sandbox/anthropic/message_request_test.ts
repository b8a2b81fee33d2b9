import { assertThrows } from "@std/assert";
import { AnthropicError } from "./error.ts";
import { checkMessageRequest } from "./message_request.ts";

const NEWEST = "2026-10-21";
const OLDER = "2023-06-01";

const user = { role: "user", content: "Hi" };
const use = {
  role: "assistant",
  content: [{ type: "tool_use", id: "t1", name: "f", input: {} }],
};
const result = { type: "tool_result", tool_use_id: "t1", content: "x" };
const tool = { name: "f", input_schema: { type: "object" } };
const pdf = {
  type: "document",
  source: { type: "base64", media_type: "application/pdf", data: "AAAA" },
};

for (
  const { name, version, params } of [
    { name: "a plain question", version: NEWEST, params: { messages: [user] } },
    {
      name: "sampling in the older version",
      version: OLDER,
      params: { messages: [user], temperature: 1, top_p: 0.5, top_k: 3 },
    },
    {
      name: "documents, images, tools and a schema",
      version: NEWEST,
      params: {
        system: [{ type: "text", text: "x", cache_control: { type: "e" } }],
        messages: [
          {
            role: "user",
            content: [
              pdf,
              {
                type: "image",
                source: { type: "url", url: "https://a/b.png" },
              },
            ],
          },
          use,
          { role: "user", content: [result, { type: "text", text: "y" }] },
        ],
        tools: [tool],
        tool_choice: { type: "tool", name: "f" },
        output_config: {
          effort: "low",
          format: { type: "json_schema", schema: {} },
        },
        thinking: { type: "enabled", budget_tokens: 1024 },
        max_tokens: 2000,
      },
    },
  ]
) {
  Deno.test(`checkMessageRequest() takes ${name}`, () => {
    checkMessageRequest(
      { model: "claude-haiku-4-5", max_tokens: 5, ...params },
      version,
    );
  });
}

for (
  const { name, params, text } of [
    {
      name: "an empty text",
      params: {
        messages: [{ role: "user", content: [{ type: "text", text: "" }] }],
      },
      text: "text content blocks must be non-empty",
    },
    {
      name: "another format's member",
      params: { messages: [user], stop: ["a"] },
      text: "stop: Extra inputs are not permitted",
    },
    {
      name: "an assistant who speaks first",
      params: { messages: [{ role: "assistant", content: "x" }] },
      text: 'first message must use the "user" role',
    },
    {
      name: "a text before a tool's result",
      params: {
        messages: [user, use, {
          role: "user",
          content: [{ type: "text", text: "y" }, result],
        }],
      },
      text: "`tool_result` blocks must come first",
    },
    {
      name: "a call as the last word",
      params: { messages: [user, use] },
      text: "ids were found without `tool_result` blocks",
    },
    {
      name: "a document from the assistant",
      params: { messages: [user, { role: "assistant", content: [pdf] }] },
      text: "document blocks belong to user messages",
    },
    {
      name: "a tool choice without tools",
      params: { messages: [user], tool_choice: { type: "any" } },
      text: "may only be specified while providing tools",
    },
    {
      name: "thinking beyond the limit",
      params: {
        messages: [user],
        thinking: { type: "enabled", budget_tokens: 1024 },
      },
      text: "must be greater than `thinking.budget_tokens`",
    },
  ]
) {
  Deno.test(`checkMessageRequest() refuses ${name}`, () => {
    const request = { model: "claude-haiku-4-5", max_tokens: 5, ...params };
    assertThrows(
      () => checkMessageRequest(request, NEWEST),
      AnthropicError,
      text,
    );
  });
}
