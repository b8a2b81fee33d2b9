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
  parsedOr,
  referencePart,
  resultText,
  textOf,
} from "./json_value.ts";

const KNOWN = new Set([
  "modelId",
  "messages",
  "system",
  "inferenceConfig",
  "toolConfig",
  "outputConfig",
  "additionalModelRequestFields",
]);
const KNOWN_ADDITIONAL = new Set([
  "top_k",
  "topK",
  "thinking",
  "reasoning_effort",
  "effort",
]);

const DOCUMENT_TYPES: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  csv: "text/csv",
  html: "text/html",
  md: "text/markdown",
  txt: "text/plain",
  doc: "application/msword",
  docx:
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
};

/** Reads a Converse request body (botocore model, bedrock-runtime). */
export function conversationFromConverse(request: unknown): Conversation {
  const body = objectOf(request);
  const inference = objectOf(body.inferenceConfig);
  const toolConfig = objectOf(body.toolConfig);
  const output = objectOf(body.outputConfig);
  const additional = objectOf(body.additionalModelRequestFields);
  const structure = objectOf(objectOf(output.textFormat).structure);
  const schema = objectOf(structure.jsonSchema).schema;
  const calls = new ToolCalls();
  return {
    system: listOf(body.system).map((block) => textOf(objectOf(block).text))
      .filter((text) => text !== ""),
    turns: mergeTurns(
      listOf(body.messages).map((message) => turnOf(message, calls)),
    ),
    tools: listOf(toolConfig.tools).filter((tool) =>
      has(objectOf(tool), "toolSpec")
    ).map((tool) => {
      const spec = objectOf(objectOf(tool).toolSpec);
      return {
        name: textOf(spec.name),
        description: textOf(spec.description),
        schema: objectOf(spec.inputSchema).json,
        strict: spec.strict === true,
      };
    }),
    toolChoice: toolChoiceOf(objectOf(toolConfig.toolChoice)),
    stopSequences: listOf(inference.stopSequences).map(textOf),
    maxTokens: numberOf(inference.maxTokens),
    temperature: numberOf(inference.temperature),
    topP: numberOf(inference.topP),
    topK: numberOf(additional.top_k ?? additional.topK),
    outputSchema: schema === undefined ? null : parsedOr(schema),
    effort: effortOf(output, additional),
    thinkingBudget: numberOf(objectOf(additional.thinking).budget_tokens),
    extra: {
      ...extraOf(body, KNOWN),
      ...extraOf(additional, KNOWN_ADDITIONAL),
    },
  };
}

function effortOf(
  output: Record<string, unknown>,
  additional: Record<string, unknown>,
): string | null {
  const effort = output.effort ?? additional.reasoning_effort ??
    additional.effort;
  return typeof effort === "string" ? effort.toLowerCase() : null;
}

function toolChoiceOf(choice: Record<string, unknown>): string {
  if (has(choice, "any")) return "any";
  if (has(choice, "tool")) return `tool:${textOf(objectOf(choice.tool).name)}`;
  return "auto";
}

function turnOf(message: unknown, calls: ToolCalls): Turn {
  const { role, content } = objectOf(message);
  return {
    role: role === "assistant" || role === "system" ? role : "user",
    parts: listOf(content).flatMap((block) => partsOf(objectOf(block), calls)),
  };
}

function partsOf(block: Record<string, unknown>, calls: ToolCalls): Part[] {
  if (has(block, "text")) return [{ kind: "text", text: textOf(block.text) }];
  if (has(block, "image")) return [imageOf(objectOf(block.image))];
  if (has(block, "document")) return [documentOf(objectOf(block.document))];
  if (has(block, "cachePoint")) return [];
  if (has(block, "toolUse")) {
    const use = objectOf(block.toolUse);
    const name = textOf(use.name);
    const ordinal = calls.add(textOf(use.toolUseId), name);
    return [{ kind: "tool_call", ordinal, name, input: use.input }];
  }
  if (has(block, "toolResult")) {
    const result = objectOf(block.toolResult);
    return [{
      kind: "tool_result",
      ordinal: calls.answer(textOf(result.toolUseId), null),
      failed: result.status === "error",
      parts: listOf(result.content).flatMap((piece) => {
        const inner = objectOf(piece);
        if (has(inner, "json")) return [resultText(inner.json)];
        if (has(inner, "text")) return [resultText(inner.text)];
        return partsOf(inner, calls);
      }),
    }];
  }
  if (has(block, "reasoningContent")) {
    const reasoning = objectOf(block.reasoningContent);
    const text = textOf(objectOf(reasoning.reasoningText).text);
    return [{ kind: "reasoning", text }];
  }
  return [{ kind: "unknown", json: block }];
}

function imageOf(image: Record<string, unknown>): Part {
  const source = objectOf(image.source);
  const format = textOf(image.format) === "jpg" ? "jpeg" : textOf(image.format);
  return has(source, "bytes")
    ? mediaPart(`image/${format}`, source.bytes)
    : referencePart("image", objectOf(source.s3Location).uri);
}

function documentOf(document: Record<string, unknown>): Part {
  const source = objectOf(document.source);
  const format = textOf(document.format);
  const mediaType = DOCUMENT_TYPES[format] ?? format;
  if (has(source, "bytes")) return mediaPart(mediaType, source.bytes);
  const texts = has(source, "text")
    ? [textOf(source.text)]
    : listOf(source.content).map((piece) => textOf(objectOf(piece).text));
  return texts.length > 0
    ? bytesPart("text/plain", Buffer.from(texts.join("\n")))
    : referencePart("document", objectOf(source.s3Location).uri);
}
