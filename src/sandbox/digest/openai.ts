import {
  type Conversation,
  mergeTurns,
  type Part,
  type Tool,
  ToolCalls,
  type Turn,
} from "./conversation.ts";
import {
  extraOf,
  has,
  listOf,
  numberOf,
  objectOf,
  parsedOr,
  referencePart,
  resultText,
  textOf,
  urlPart,
} from "./json_value.ts";

const KNOWN = new Set([
  "model",
  "messages",
  "input",
  "instructions",
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "temperature",
  "top_p",
  "stop",
  "tools",
  "tool_choice",
  "response_format",
  "text",
  "reasoning",
  "reasoning_effort",
  "stream",
]);

/**
 * Reads the body of a chat completion, or of a response (the newer API, which
 * has `input` where the older has `messages`); OpenAI API Reference.
 */
export function conversationFromOpenAi(request: unknown): Conversation {
  const body = objectOf(request);
  const calls = new ToolCalls();
  const items = has(body, "messages")
    ? listOf(body.messages)
    : listOf(body.input);
  const turns = items.map((item) => turnOf(item, calls));
  const firstTurn = turns.findIndex((turn) => turn.role !== "system");
  const systemCount = firstTurn < 0 ? turns.length : firstTurn;
  const effort = body.reasoning_effort ?? objectOf(body.reasoning).effort;
  const maxTokens = body.max_completion_tokens ?? body.max_output_tokens ??
    body.max_tokens;
  return {
    system: [
      ...listOf(body.instructions).map(textOf),
      ...turns.slice(0, systemCount).flatMap((turn) => turn.parts).map((part) =>
        part.kind === "text" ? part.text : ""
      ),
    ].filter((text) => text !== ""),
    turns: mergeTurns(turns.slice(systemCount)),
    tools: listOf(body.tools).map(toolOf),
    toolChoice: toolChoiceOf(body.tool_choice),
    stopSequences: listOf(body.stop).map(textOf),
    maxTokens: numberOf(maxTokens),
    temperature: numberOf(body.temperature),
    topP: numberOf(body.top_p),
    topK: null,
    outputSchema: outputSchemaOf(body),
    effort: typeof effort === "string" ? effort.toLowerCase() : null,
    thinkingBudget: null,
    extra: extraOf(body, KNOWN),
  };
}

function toolOf(tool: unknown): Tool {
  const fields = objectOf(tool);
  const spec = has(fields, "function") ? objectOf(fields.function) : fields;
  return {
    name: textOf(spec.name),
    description: textOf(spec.description),
    schema: spec.parameters,
    strict: spec.strict === true,
  };
}

function toolChoiceOf(choice: unknown): string {
  if (choice === "required") return "any";
  if (choice === "none") return "none";
  const fields = objectOf(choice);
  if (fields.type !== "function") return "auto";
  const name = objectOf(fields.function).name ?? fields.name;
  return `tool:${textOf(name)}`;
}

function outputSchemaOf(body: Record<string, unknown>): unknown {
  const format = has(body, "response_format")
    ? objectOf(body.response_format)
    : objectOf(objectOf(body.text).format);
  if (format.type === "json_object") return true;
  if (format.type !== "json_schema") return null;
  return objectOf(format.json_schema).schema ?? format.schema ?? null;
}

function turnOf(item: unknown, calls: ToolCalls): Turn {
  if (typeof item === "string") {
    return { role: "user", parts: [{ kind: "text", text: item }] };
  }
  const fields = objectOf(item);
  if (fields.type === "function_call") {
    const call = callOf(fields.call_id, fields, calls);
    return { role: "assistant", parts: [call] };
  }
  if (fields.type === "function_call_output") {
    const result = resultOf(fields.call_id, fields.output, calls);
    return { role: "user", parts: [result] };
  }
  if (fields.role === "tool") {
    const result = resultOf(fields.tool_call_id, fields.content, calls);
    return { role: "user", parts: [result] };
  }
  const content = listOf(fields.content).map(partOf);
  const toolCalls = listOf(fields.tool_calls).map((entry) => {
    const call = objectOf(entry);
    return callOf(call.id, objectOf(call.function), calls);
  });
  const isSystem = fields.role === "system" || fields.role === "developer";
  const role = isSystem
    ? "system"
    : fields.role === "assistant"
    ? "assistant"
    : "user";
  return { role, parts: [...content, ...toolCalls] };
}

function callOf(
  id: unknown,
  call: Record<string, unknown>,
  calls: ToolCalls,
): Part {
  const name = textOf(call.name);
  const ordinal = calls.add(textOf(id), name);
  return { kind: "tool_call", ordinal, name, input: parsedOr(call.arguments) };
}

function resultOf(id: unknown, content: unknown, calls: ToolCalls): Part {
  return {
    kind: "tool_result",
    ordinal: calls.answer(textOf(id), null),
    failed: false,
    parts: listOf(content).map((piece) => {
      const part = partOf(piece);
      return part.kind === "text" ? resultText(part.text) : part;
    }),
  };
}

function partOf(piece: unknown): Part {
  if (typeof piece === "string") return { kind: "text", text: piece };
  const fields = objectOf(piece);
  switch (fields.type) {
    case "text":
    case "input_text":
    case "output_text":
      return { kind: "text", text: textOf(fields.text) };
    case "image_url":
      return urlPart("image", textOf(objectOf(fields.image_url).url));
    case "input_image":
      return urlPart("image", textOf(fields.image_url));
    case "file":
      return fileOf(objectOf(fields.file));
    case "input_file":
      return fileOf(fields);
    default:
      return { kind: "unknown", json: piece };
  }
}

function fileOf(file: Record<string, unknown>): Part {
  return has(file, "file_data")
    ? urlPart("document", textOf(file.file_data))
    : referencePart("document", file.file_id ?? file.file_url);
}
