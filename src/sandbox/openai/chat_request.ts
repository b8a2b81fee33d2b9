import { z } from "zod";
import type { OpenAiFailure } from "./error.ts";

const STOP_SEQUENCES_MAX = 4;
const name = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/);

const textPart = z.strictObject({ type: z.literal("text"), text: z.string() });
const imagePart = z.strictObject({
  type: z.literal("image_url"),
  image_url: z.strictObject({
    url: z.string().regex(
      /^(https?:\/\/|data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$)/,
    ),
    detail: z.enum(["auto", "low", "high"]).optional(),
  }),
});
const filePart = z.strictObject({
  type: z.literal("file"),
  file: z.strictObject({
    file_data: z.string().startsWith("data:").optional(),
    filename: z.string().optional(),
    file_id: z.string().optional(),
  }),
});
const audioPart = z.looseObject({ type: z.literal("input_audio") });
const refusalPart = z.strictObject({
  type: z.literal("refusal"),
  refusal: z.string(),
});
const texts = z.union([z.string(), z.array(textPart).min(1)]);

const toolCall = z.strictObject({
  id: z.string(),
  type: z.literal("function"),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
});

const message = z.discriminatedUnion("role", [
  z.strictObject({
    role: z.enum(["system", "developer"]),
    content: texts,
    name: z.string().optional(),
  }),
  z.strictObject({
    role: z.literal("user"),
    content: z.union([
      z.string(),
      z.array(
        z.discriminatedUnion("type", [
          textPart,
          imagePart,
          filePart,
          audioPart,
        ]),
      ).min(1),
    ]),
    name: z.string().optional(),
  }),
  z.strictObject({
    role: z.literal("assistant"),
    content: z.union([
      z.string(),
      z.array(z.discriminatedUnion("type", [textPart, refusalPart])).min(1),
    ]).nullish(),
    refusal: z.string().nullish(),
    tool_calls: z.array(toolCall).min(1).optional(),
    name: z.string().optional(),
    audio: z.unknown().optional(),
    annotations: z.unknown().optional(),
  }),
  z.strictObject({
    role: z.literal("tool"),
    content: texts,
    tool_call_id: z.string(),
  }),
]);
type Message = z.infer<typeof message>;

const tool = z.strictObject({
  type: z.literal("function"),
  function: z.strictObject({
    name,
    description: z.string().optional(),
    parameters: z.looseObject({}).optional(),
    strict: z.boolean().nullish(),
  }),
});

const responseFormat = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    json_schema: z.strictObject({
      name,
      description: z.string().optional(),
      schema: z.looseObject({}).optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

/** Members that are taken as they come. */
const UNJUDGED = [
  "audio",
  "frequency_penalty",
  "function_call",
  "functions",
  "logit_bias",
  "logprobs",
  "metadata",
  "modalities",
  "moderation",
  "n",
  "parallel_tool_calls",
  "prediction",
  "presence_penalty",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "safety_identifier",
  "seed",
  "service_tier",
  "store",
  "stream_options",
  "top_logprobs",
  "user",
  "verbosity",
  "web_search_options",
] as const;

/** CreateChatCompletionRequest (OpenAI API Reference, Chat). */
const chatRequest = z.strictObject({
  ...Object.fromEntries(UNJUDGED.map((key) => [key, z.unknown().optional()])),
  model: z.string(),
  messages: z.array(message).min(1),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(STOP_SEQUENCES_MAX)])
    .nullish(),
  stream: z.literal([false]).nullish(),
  tools: z.array(tool).min(1).max(128).optional(),
  tool_choice: z.union([
    z.enum(["auto", "none", "required"]),
    z.looseObject({ type: z.enum(["function", "allowed_tools"]) }),
  ]).optional(),
  response_format: responseFormat.optional(),
  reasoning_effort: z.enum([
    "none",
    "minimal",
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
  ]).nullish(),
});
type ChatRequest = z.infer<typeof chatRequest>;

/** Why a chat completion's body is refused; null where it is not. */
export function chatFailure(body: unknown): OpenAiFailure | null {
  const parsed = chatRequest.safeParse(body);
  if (!parsed.success) return issueFailure(parsed.error);
  const request = parsed.data;
  return reasoningFailure(request) ?? toolFailure(request) ??
    schemaFailure(request);
}

/** The API's words for the first thing that is wrong with a body. */
export function issueFailure(error: z.ZodError): OpenAiFailure {
  const issue = error.issues[0];
  const path = pathOf(issue?.path ?? []);
  if (issue?.code === "unrecognized_keys") {
    const key = pathOf([...issue.path, issue.keys[0] ?? ""]);
    return {
      status: 400,
      message: `Unknown parameter: '${key}'.`,
      param: key,
      code: "unknown_parameter",
    };
  }
  if (issue?.message.endsWith("received undefined") === true) {
    return {
      status: 400,
      message: `Missing required parameter: '${path}'.`,
      param: path,
      code: "missing_required_parameter",
    };
  }
  return {
    status: 400,
    message: `Invalid value for '${path}': ${issue?.message ?? "unknown"}.`,
    param: path,
    code: issue?.code === "invalid_type" ? "invalid_type" : "invalid_value",
  };
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, "");
}

/** Reasoning models refuse what steers sampling, and the older token limit. */
function reasoningFailure(request: ChatRequest): OpenAiFailure | null {
  const { model } = request;
  if (!/^(o\d|gpt-5)/.test(model)) return null;
  if (typeof request.max_tokens === "number") {
    return unsupported(
      "max_tokens",
      "Unsupported parameter: 'max_tokens' is not supported with this model. " +
        "Use 'max_completion_tokens' instead.",
    );
  }
  if (!/^(o\d|gpt-5(-mini|-nano|-pro)?(-\d|$))/.test(model)) return null;
  for (const param of ["temperature", "top_p"] as const) {
    if ((request[param] ?? 1) !== 1) {
      return unsupported(
        param,
        `Unsupported value: '${param}' does not support ${request[param]} ` +
          "with this model. Only the default (1) value is supported.",
      );
    }
  }
  if (request.stop === undefined || request.stop === null) return null;
  return unsupported(
    "stop",
    "Unsupported parameter: 'stop' is not supported with this model.",
  );
}

function unsupported(param: string, message: string): OpenAiFailure {
  const code = message.startsWith("Unsupported value")
    ? "unsupported_value"
    : "unsupported_parameter";
  return { status: 400, message, param, code };
}

/** Every call must be answered by the messages right behind it. */
function toolFailure(request: ChatRequest): OpenAiFailure | null {
  if (request.tool_choice !== undefined && request.tools === undefined) {
    return invalid(
      "tool_choice",
      "Invalid value for 'tool_choice': 'tool_choice' is only allowed when " +
        "'tools' are specified.",
    );
  }
  let waiting = new Set<string>();
  const messages: readonly Message[] = request.messages;
  for (const [index, entry] of messages.entries()) {
    if (entry.role === "tool") {
      if (!waiting.delete(entry.tool_call_id)) {
        return invalid(
          `messages.[${index}].role`,
          "Invalid parameter: messages with role 'tool' must be a response " +
            "to a preceeding message with 'tool_calls'.",
        );
      }
      continue;
    }
    if (waiting.size > 0) return unanswered(waiting);
    if (entry.role !== "assistant") continue;
    waiting = new Set(entry.tool_calls?.map((call) => call.id));
    const said = entry.content ?? entry.refusal ?? null;
    if (waiting.size === 0 && said === null) {
      return invalid(
        `messages.[${index}].content`,
        "Invalid value for 'content': expected a string, got null.",
      );
    }
  }
  return waiting.size > 0 ? unanswered(waiting) : null;
}

function unanswered(ids: ReadonlySet<string>): OpenAiFailure {
  return invalid(
    "messages",
    "An assistant message with 'tool_calls' must be followed by tool messages " +
      "responding to each 'tool_call_id'. The following tool_call_ids did not " +
      `have response messages: ${[...ids].join(", ")}`,
  );
}

/** Strict schemas must close every object; only the outermost is looked at. */
function schemaFailure(request: ChatRequest): OpenAiFailure | null {
  const format = request.response_format;
  if (format?.type !== "json_schema") return null;
  const { json_schema } = format;
  if (json_schema.strict !== true) return null;
  if (json_schema.schema?.additionalProperties === false) return null;
  return {
    status: 400,
    message: `Invalid schema for response_format '${json_schema.name}': In ` +
      "context=(), 'additionalProperties' is required to be supplied and to " +
      "be false.",
    param: "response_format",
  };
}

function invalid(param: string, message: string): OpenAiFailure {
  return { status: 400, message, param, code: "invalid_value" };
}
