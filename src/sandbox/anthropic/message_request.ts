import { z } from "zod";
import { AnthropicError } from "./error.ts";
import { isModel } from "./models.ts";

/** The API version that took sampling parameters away. */
const VERSION_WITHOUT_SAMPLING = "2026-10-21";
const THINKING_TOKENS_MIN = 1024;

const common = { cache_control: z.looseObject({}).nullish() };
const citations = z.unknown().optional();

const textBlock = z.strictObject({
  ...common,
  type: z.literal("text"),
  text: z.string().min(1, "text content blocks must be non-empty"),
  citations,
});
const urlSource = z.strictObject({ type: z.literal("url"), url: z.url() });
const fileSource = z.strictObject({
  type: z.literal("file"),
  file_id: z.string(),
});
const imageBlock = z.strictObject({
  ...common,
  type: z.literal("image"),
  source: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("base64"),
      media_type: z.enum([
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
      ]),
      data: z.base64().min(1),
    }),
    urlSource,
    fileSource,
  ]),
});
const documentBlock = z.strictObject({
  ...common,
  type: z.literal("document"),
  source: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("base64"),
      media_type: z.literal("application/pdf"),
      data: z.base64().min(1),
    }),
    z.strictObject({
      type: z.literal("text"),
      media_type: z.literal("text/plain"),
      data: z.string(),
    }),
    z.strictObject({
      type: z.literal("content"),
      content: z.union([z.string(), z.array(z.looseObject({}))]),
    }),
    urlSource,
    fileSource,
  ]),
  title: z.string().nullish(),
  context: z.string().nullish(),
  citations,
});
const toolUseBlock = z.strictObject({
  ...common,
  type: z.literal("tool_use"),
  id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
  name: z.string().min(1),
  input: z.looseObject({}),
});
const toolResultBlock = z.strictObject({
  ...common,
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z.union([
    z.string(),
    z.array(
      z.discriminatedUnion("type", [textBlock, imageBlock, documentBlock]),
    ),
  ]).optional(),
  is_error: z.boolean().optional(),
});
const thinkingBlock = z.strictObject({
  type: z.literal("thinking"),
  thinking: z.string(),
  signature: z.string(),
});
const redactedBlock = z.strictObject({
  type: z.literal("redacted_thinking"),
  data: z.string(),
});

const block = z.discriminatedUnion("type", [
  textBlock,
  imageBlock,
  documentBlock,
  toolUseBlock,
  toolResultBlock,
  thinkingBlock,
  redactedBlock,
]);

const message = z.strictObject({
  role: z.enum(["user", "assistant", "system"]),
  content: z.union([z.string().min(1), z.array(block).min(1)]),
});
type Message = z.infer<typeof message>;
type Block = z.infer<typeof block>;

const tool = z.strictObject({
  ...common,
  type: z.literal("custom").optional(),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/),
  description: z.string().optional(),
  input_schema: z.looseObject({ type: z.literal("object") }),
  strict: z.boolean().optional(),
});

/** MessageCreateParams (Anthropic API Reference, Messages). */
const messageRequest = z.strictObject({
  model: z.string(),
  max_tokens: z.int().min(1),
  messages: z.array(message).min(1),
  system: z.union([z.string(), z.array(textBlock)]).optional(),
  stop_sequences: z.array(
    z.string().regex(
      /\S/,
      "each stop sequence must contain non-whitespace",
    ),
  ).optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
  tools: z.array(tool).optional(),
  tool_choice: z.strictObject({
    type: z.enum(["auto", "any", "tool", "none"]),
    name: z.string().optional(),
    disable_parallel_tool_use: z.boolean().optional(),
  }).optional(),
  output_config: z.strictObject({
    effort: z.enum(["low", "medium", "high", "xhigh", "max"]).nullish(),
    format: z.strictObject({
      type: z.literal("json_schema"),
      schema: z.looseObject({}),
    }).nullish(),
  }).optional(),
  thinking: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("enabled"),
      budget_tokens: z.int().min(THINKING_TOKENS_MIN),
    }),
    z.looseObject({ type: z.enum(["adaptive", "disabled", "between-tools"]) }),
  ]).optional(),
  stream: z.literal([false], "streaming is not supported in batches")
    .optional(),
  cache_control: z.unknown().optional(),
  container: z.unknown().optional(),
  diagnostics: z.unknown().optional(),
  inference_geo: z.unknown().optional(),
  metadata: z.unknown().optional(),
  service_tier: z.unknown().optional(),
  speed: z.unknown().optional(),
});
type MessageRequest = z.infer<typeof messageRequest>;

/** @throws {AnthropicError} where the Messages API would refuse `params`. */
export function checkMessageRequest(params: unknown, version: string): void {
  const parsed = messageRequest.safeParse(params);
  if (!parsed.success) throw issueError(parsed.error);
  const request = parsed.data;
  if (!isModel(request.model)) {
    throw new AnthropicError("not_found_error", `model: ${request.model}`);
  }
  if (version >= VERSION_WITHOUT_SAMPLING) checkNewVersion(request);
  checkTools(request);
  checkToolTurns(request.messages);
  const thinking = request.thinking;
  if (thinking?.type !== "enabled") return;
  if (request.max_tokens > Number(thinking.budget_tokens)) return;
  throw invalid(
    "`max_tokens` must be greater than `thinking.budget_tokens`.",
  );
}

/** The API's words for the first thing that is wrong with a message. */
export function issueError(error: z.ZodError, prefix = ""): AnthropicError {
  const issue = error.issues[0];
  const names = (issue?.path ?? []).map(String);
  if (issue?.code === "unrecognized_keys") {
    const place = [...names, issue.keys[0]].join(".");
    return invalid(`${prefix}${place}: Extra inputs are not permitted`);
  }
  const message = issue?.message ?? "invalid";
  const text = message.endsWith("received undefined")
    ? "Field required"
    : message;
  return invalid(`${prefix}${names.join(".")}: ${text}`);
}

function invalid(message: string): AnthropicError {
  return new AnthropicError("invalid_request_error", message);
}

function blocksOf(entry: Message): readonly Block[] {
  return typeof entry.content === "string" ? [] : entry.content;
}

/** What version 2026-10-21 of the API took away. */
function checkNewVersion(request: MessageRequest): void {
  for (const name of ["temperature", "top_p", "top_k"] as const) {
    if (request[name] !== undefined) {
      throw invalid(`${name}: Extra inputs are not permitted`);
    }
  }
  for (const [index, entry] of request.messages.entries()) {
    const place = `messages.${index}.content`;
    const blocks = blocksOf(entry);
    if (
      entry.role === "assistant" &&
      blocks.some(({ type }) => type === "document")
    ) {
      throw invalid(`${place}: document blocks belong to user messages`);
    }
    const isCited = blocks.some((entryBlock) =>
      entryBlock.type === "text" && Array.isArray(entryBlock.citations) &&
      entryBlock.citations.length > 0
    );
    if (entry.role === "user" && isCited) {
      throw invalid(`${place}: citations are not permitted in user messages`);
    }
  }
}

function checkTools(request: MessageRequest): void {
  const names = (request.tools ?? []).map(({ name }) => name);
  if (new Set(names).size < names.length) {
    throw invalid("tools: Tool names must be unique.");
  }
  const choice = request.tool_choice;
  if (choice === undefined) return;
  if (names.length === 0) {
    throw invalid("tool_choice: may only be specified while providing tools");
  }
  if (choice.type !== "tool" || names.includes(choice.name ?? "")) return;
  throw invalid(`tool_choice: Tool '${choice.name}' not found in tools`);
}

/** Every call is answered at the start of the message right behind it. */
function checkToolTurns(messages: readonly Message[]): void {
  const first = messages.find(({ role }) => role !== "system");
  if (first?.role !== "user") {
    throw invalid('messages: first message must use the "user" role');
  }
  let waiting = new Set<string>();
  for (const [index, entry] of messages.entries()) {
    const blocks = blocksOf(entry);
    const results = blocks.filter((entryBlock) =>
      entryBlock.type === "tool_result"
    );
    const place = `messages.${index}.content`;
    const stray = results.find(({ tool_use_id }) =>
      entry.role !== "user" || !waiting.delete(tool_use_id)
    );
    if (stray !== undefined) {
      throw invalid(
        `${place}: unexpected \`tool_use_id\` found in \`tool_result\` ` +
          `blocks: ${stray.tool_use_id}. Each \`tool_result\` block must have ` +
          "a corresponding `tool_use` block in the previous message.",
      );
    }
    if (waiting.size > 0) throw unanswered(waiting, index);
    if (
      blocks.slice(0, results.length).some(({ type }) => type !== "tool_result")
    ) {
      throw invalid(`${place}: \`tool_result\` blocks must come first`);
    }
    waiting = new Set(
      blocks.flatMap((entryBlock) =>
        entryBlock.type === "tool_use" ? [entryBlock.id] : []
      ),
    );
  }
  if (waiting.size > 0) throw unanswered(waiting, messages.length);
}

function unanswered(ids: ReadonlySet<string>, index: number): AnthropicError {
  return invalid(
    `messages.${index}: \`tool_use\` ids were found without \`tool_result\` ` +
      `blocks immediately after: ${[...ids].join(", ")}.`,
  );
}
