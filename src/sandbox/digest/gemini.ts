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
  listOf,
  mediaPart,
  numberOf,
  objectOf,
  referencePart,
  resultText,
  textOf,
} from "./json_value.ts";

const KNOWN = new Set([
  "model",
  "contents",
  "systemInstruction",
  "tools",
  "toolConfig",
  "generationConfig",
]);
const KNOWN_GENERATION = new Set([
  "maxOutputTokens",
  "temperature",
  "topP",
  "topK",
  "stopSequences",
  "responseMimeType",
  "responseSchema",
  "responseJsonSchema",
  "thinkingConfig",
]);

/**
 * Reads a GenerateContentRequest. Proto JSON takes every member in camelCase
 * and in snake_case, so names are brought to camelCase first.
 */
export function conversationFromGemini(request: unknown): Conversation {
  const body = camelObject(request);
  const generation = camelObject(body.generationConfig);
  const thinking = camelObject(generation.thinkingConfig);
  const calling = camelObject(
    camelObject(body.toolConfig)
      .functionCallingConfig,
  );
  const system = camelObject(body.systemInstruction);
  const calls = new ToolCalls();
  return {
    system: listOf(system.parts).map((part) => textOf(objectOf(part).text))
      .filter((text) => text !== ""),
    turns: mergeTurns(
      listOf(body.contents).map((content) => turnOf(content, calls)),
    ),
    tools: listOf(body.tools).flatMap(toolsOf),
    toolChoice: toolChoiceOf(calling),
    stopSequences: listOf(generation.stopSequences).map(textOf),
    maxTokens: numberOf(generation.maxOutputTokens),
    temperature: numberOf(generation.temperature),
    topP: numberOf(generation.topP),
    topK: numberOf(generation.topK),
    outputSchema: outputSchemaOf(generation),
    effort: typeof thinking.thinkingLevel === "string"
      ? thinking.thinkingLevel.toLowerCase()
      : null,
    thinkingBudget: numberOf(thinking.thinkingBudget),
    extra: {
      ...extraOf(body, KNOWN),
      ...extraOf(generation, KNOWN_GENERATION),
    },
  };
}

/** The object with its own member names in camelCase; values stay as is. */
export function camelObject(value: unknown): Record<string, unknown> {
  const entries = Object.entries(objectOf(value)).map(([name, member]) =>
    [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      member,
    ] as const
  );
  return Object.fromEntries(entries);
}

function outputSchemaOf(generation: Record<string, unknown>): unknown {
  const schema = generation.responseJsonSchema ?? generation.responseSchema;
  if (schema !== undefined && schema !== null) return lowerCaseTypes(schema);
  return generation.responseMimeType === "application/json" ? true : null;
}

/** OpenAPI's schema subset spells types in capitals: `OBJECT`, `STRING`. */
function lowerCaseTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(lowerCaseTypes);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([name, value]) =>
    name === "type" && typeof value === "string"
      ? [name, value.toLowerCase()] as const
      : [name, lowerCaseTypes(value)] as const
  );
  return Object.fromEntries(entries);
}

function toolsOf(tool: unknown): Tool[] {
  return listOf(camelObject(tool).functionDeclarations).map((declaration) => {
    const fields = camelObject(declaration);
    const schema = fields.parametersJsonSchema ?? fields.parameters;
    return {
      name: textOf(fields.name),
      description: textOf(fields.description),
      schema: lowerCaseTypes(schema),
      strict: false,
    };
  });
}

function toolChoiceOf(calling: Record<string, unknown>): string {
  const allowed = listOf(calling.allowedFunctionNames);
  if (calling.mode === "NONE") return "none";
  if (calling.mode !== "ANY") return "auto";
  return allowed.length === 1 ? `tool:${textOf(allowed[0])}` : "any";
}

function turnOf(content: unknown, calls: ToolCalls): Turn {
  const { role, parts } = objectOf(content);
  return {
    role: role === "model" ? "assistant" : "user",
    parts: listOf(parts).map((part) => partOf(part, calls)),
  };
}

function partOf(part: unknown, calls: ToolCalls): Part {
  const fields = camelObject(part);
  if (typeof fields.text === "string") {
    const kind = fields.thought === true ? "reasoning" : "text";
    return { kind, text: fields.text };
  }
  if (fields.inlineData !== undefined) {
    const { mimeType, data } = camelObject(fields.inlineData);
    return mediaPart(textOf(mimeType), data);
  }
  if (fields.fileData !== undefined) {
    const { mimeType, fileUri } = camelObject(fields.fileData);
    const isImage = textOf(mimeType).startsWith("image/");
    return referencePart(isImage ? "image" : "document", fileUri);
  }
  if (fields.functionCall !== undefined) {
    const { id, name, args } = objectOf(fields.functionCall);
    const ordinal = calls.add(idOf(id), textOf(name));
    return { kind: "tool_call", ordinal, name: textOf(name), input: args };
  }
  if (fields.functionResponse !== undefined) {
    return resultOf(objectOf(fields.functionResponse), calls);
  }
  return { kind: "unknown", json: part };
}

/** Results are wrapped as `result`, `output` or `error` by custom. */
function resultOf(response: Record<string, unknown>, calls: ToolCalls): Part {
  const content = objectOf(response.response);
  const names = Object.keys(content);
  const wrapper = names.length === 1 &&
      ["result", "output", "error"].includes(names[0] ?? "")
    ? names[0]
    : undefined;
  const value = wrapper === undefined ? content : content[wrapper];
  const media = listOf(response.parts).map((part) => partOf(part, calls));
  return {
    kind: "tool_result",
    ordinal: calls.answer(idOf(response.id), textOf(response.name)),
    failed: wrapper === "error",
    parts: [...listOf(value).map(resultText), ...media],
  };
}

function idOf(id: unknown): string | null {
  return typeof id === "string" && id !== "" ? id : null;
}
