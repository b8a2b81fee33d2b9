import { Buffer } from "node:buffer";
import {
  type Conversation,
  mergeTurns,
  type Part,
  ToolCalls,
  type Turn,
} from "./conversation.ts";
import {
  bytesPart,
  extraOf,
  has,
  listOf,
  mediaPart,
  numberOf,
  objectOf,
  referencePart,
  resultText,
  textOf,
} from "./json_value.ts";

const KNOWN = new Set([
  "anthropic_version",
  "model",
  "messages",
  "system",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "tools",
  "tool_choice",
  "output_config",
  "thinking",
  "stream",
]);

/** Reads a Messages request body (Anthropic API Reference, Messages). */
export function conversationFromAnthropic(request: unknown): Conversation {
  const body = objectOf(request);
  const output = objectOf(body.output_config);
  const format = objectOf(output.format);
  const calls = new ToolCalls();
  return {
    system: textsOf(body.system),
    turns: mergeTurns(
      listOf(body.messages).map((message) => turnOf(message, calls)),
    ),
    tools: listOf(body.tools).map((tool) => {
      const { name, description, input_schema, strict } = objectOf(tool);
      return {
        name: textOf(name),
        description: textOf(description),
        schema: input_schema,
        strict: strict === true,
      };
    }),
    toolChoice: toolChoiceOf(objectOf(body.tool_choice)),
    stopSequences: listOf(body.stop_sequences).map(textOf),
    maxTokens: numberOf(body.max_tokens),
    temperature: numberOf(body.temperature),
    topP: numberOf(body.top_p),
    topK: numberOf(body.top_k),
    outputSchema: format.schema ?? null,
    effort: typeof output.effort === "string"
      ? output.effort.toLowerCase()
      : null,
    thinkingBudget: numberOf(objectOf(body.thinking).budget_tokens),
    extra: extraOf(body, KNOWN),
  };
}

function textsOf(system: unknown): string[] {
  return listOf(system).map((block) =>
    typeof block === "string" ? block : textOf(objectOf(block).text)
  ).filter((text) => text !== "");
}

function toolChoiceOf(choice: Record<string, unknown>): string {
  if (choice.type === "tool") return `tool:${textOf(choice.name)}`;
  return typeof choice.type === "string" ? choice.type : "auto";
}

function turnOf(message: unknown, calls: ToolCalls): Turn {
  const { role, content } = objectOf(message);
  return {
    role: role === "assistant" || role === "system" ? role : "user",
    parts: listOf(content).map((block) => partOf(block, calls)),
  };
}

function partOf(block: unknown, calls: ToolCalls): Part {
  if (typeof block === "string") return { kind: "text", text: block };
  const fields = objectOf(block);
  switch (fields.type) {
    case "text":
      return { kind: "text", text: textOf(fields.text) };
    case "image":
    case "document":
      return sourceOf(fields.type, objectOf(fields.source));
    case "tool_use": {
      const name = textOf(fields.name);
      const ordinal = calls.add(textOf(fields.id), name);
      return { kind: "tool_call", ordinal, name, input: fields.input };
    }
    case "tool_result":
      return {
        kind: "tool_result",
        ordinal: calls.answer(textOf(fields.tool_use_id), null),
        failed: fields.is_error === true,
        parts: listOf(fields.content).map((piece) => {
          if (typeof piece === "string") return resultText(piece);
          const inner = objectOf(piece);
          return inner.type === "text"
            ? resultText(textOf(inner.text))
            : partOf(inner, calls);
        }),
      };
    case "thinking":
      return { kind: "reasoning", text: textOf(fields.thinking) };
    case "redacted_thinking":
      return { kind: "reasoning", text: "" };
    default:
      return { kind: "unknown", json: block };
  }
}

function sourceOf(
  kind: "image" | "document",
  source: Record<string, unknown>,
): Part {
  if (source.type === "base64") {
    return mediaPart(textOf(source.media_type), source.data);
  }
  if (source.type === "text") {
    return bytesPart("text/plain", Buffer.from(textOf(source.data)));
  }
  if (source.type === "content") {
    const texts = listOf(source.content).map((piece) =>
      typeof piece === "string" ? piece : textOf(objectOf(piece).text)
    );
    return bytesPart("text/plain", Buffer.from(texts.join("\n")));
  }
  const reference = has(source, "url") ? source.url : source.file_id;
  return referencePart(kind, reference);
}
