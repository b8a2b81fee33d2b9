import { conversationFromAnthropic } from "./digest/anthropic.ts";
import {
  canonicalJson,
  type Conversation,
  type Part,
  sha256Hex,
  type Turn,
} from "./digest/conversation.ts";
import { conversationFromConverse } from "./digest/converse.ts";
import { conversationFromGemini } from "./digest/gemini.ts";
import { conversationFromOpenAi } from "./digest/openai.ts";
import { sampleOf } from "./digest/sample.ts";

/** What a simulated model says to one record. */
export interface Answer {
  /** Echo and digest of what was received; JSON where a schema was given. */
  readonly text: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly toolCall: {
    readonly id: string;
    readonly name: string;
    readonly input: unknown;
  } | null;
  /** Where not null, the record fails and nothing else of this counts. */
  readonly failure: {
    readonly status: number;
    readonly message: string;
  } | null;
}

export type RequestFormat = "converse" | "anthropic" | "openai" | "gemini";

const READERS = {
  converse: conversationFromConverse,
  anthropic: conversationFromAnthropic,
  openai: conversationFromOpenAi,
  gemini: conversationFromGemini,
} as const satisfies Record<RequestFormat, (request: unknown) => Conversation>;

const ECHO_CHARACTERS_MAX = 60;
/** Turns beyond these share one hash, to keep an answer readable. */
const TURNS_SHOWN_MAX = 16;
const IMAGE_TOKENS = 258;

/**
 * Answers one record. The same conversation gets the same answer in every
 * format, and every field of it has its own place in the digest:
 * `Answer to "Hi" [turns=1:5b1c2d3e system=none … max=100 temp=none …]`.
 *
 * A last user text with "please fail" makes the record fail with a 400; one
 * with "use the tool" is answered with a call of the first tool, if any.
 */
export function answerFor(format: RequestFormat, request: unknown): Answer {
  const conversation = READERS[format](request);
  const question = lastUserText(conversation.turns);
  const digest = digestOf(conversation);
  const plain = `Answer to "${echoOf(question)}" [${digest}]`;
  const text = conversation.outputSchema === null
    ? plain
    : JSON.stringify(sampleOf(conversation.outputSchema, plain));
  const toolCall = toolCallOf(conversation, question, digest);
  const spoken = text.length + canonicalJson(toolCall ?? "").length - 2;
  return {
    text,
    inputTokens: inputTokensOf(conversation),
    outputTokens: Math.ceil(spoken / 4),
    toolCall,
    failure: /please fail/i.test(question)
      ? { status: 400, message: "The last message asked for a failure." }
      : null,
  };
}

function toolCallOf(
  conversation: Conversation,
  question: string,
  digest: string,
): Answer["toolCall"] {
  const tool = conversation.tools[0];
  if (tool === undefined || !/use the tool/i.test(question)) return null;
  return {
    id: `call_${sha256Hex(digest).slice(0, 24)}`,
    name: tool.name,
    input: sampleOf(tool.schema, "sandbox"),
  };
}

function digestOf(conversation: Conversation): string {
  const parts = conversation.turns.flatMap((turn) => turn.parts);
  const everyPart = parts.flatMap((part) =>
    part.kind === "tool_result" ? [part, ...part.parts] : [part]
  );
  const { tools } = conversation;
  const failedResults = parts.filter((part) =>
    part.kind === "tool_result" && part.failed
  );
  return Object.entries({
    turns: turnsDigest(conversation.turns),
    system: countedHash(normalText(conversation.system)),
    images: countedHash(everyPart.filter((part) => part.kind === "image")),
    documents: countedHash(
      everyPart.filter((part) => part.kind === "document"),
    ),
    reasoning: countedHash(parts.filter((part) => part.kind === "reasoning")),
    tools: countedHash(
      tools.map(({ name, description, schema }) => [name, description, schema]),
    ),
    strict: tools.filter((tool) => tool.strict).length,
    choice: tools.length === 0 ? "none" : conversation.toolChoice,
    toolErrors: failedResults.length,
    stop: countedHash(conversation.stopSequences),
    max: conversation.maxTokens,
    temp: conversation.temperature,
    topP: conversation.topP,
    topK: conversation.topK,
    schema: conversation.outputSchema === null
      ? null
      : shortHash(conversation.outputSchema),
    effort: conversation.effort,
    thinking: conversation.thinkingBudget,
    extra: Object.entries(conversation.extra).map(([name, value]) =>
      `${name}:${shortHash(value)}`
    ).sort().join(",") || null,
  }).map(([name, value]) => `${name}=${value ?? "none"}`).join(" ");
}

function turnsDigest(turns: readonly Turn[]): string {
  const hashes = turns.slice(0, TURNS_SHOWN_MAX).map(turnHash);
  const rest = turns.slice(TURNS_SHOWN_MAX).map(turnHash);
  if (rest.length > 0) hashes.push(shortHash(rest));
  return `${turns.length}:${hashes.join(",")}`;
}

function turnHash(turn: Turn): string {
  return shortHash([turn.role, contentOf(turn.parts)]);
}

/** Reasoning has its own place in the digest: not every format takes it. */
function contentOf(parts: readonly Part[]): unknown[] {
  const content: unknown[] = [];
  let texts: string[] = [];
  for (const part of parts) {
    if (part.kind === "reasoning") continue;
    if (part.kind === "text") {
      texts.push(part.text);
      continue;
    }
    content.push(...normalText(texts));
    texts = [];
    content.push(
      part.kind === "tool_result"
        ? ["tool_result", part.ordinal, contentOf(part.parts)]
        : part,
    );
  }
  return [...content, ...normalText(texts)];
}

/** Neighbouring texts count as one, however many line breaks join them. */
function normalText(texts: readonly string[]): string[] {
  const text = texts.join("\n").replace(/\n+/g, "\n").trim();
  return text === "" ? [] : [text];
}

function lastUserText(turns: readonly Turn[]): string {
  const turn = turns.findLast(({ role }) => role === "user");
  const part = turn?.parts.findLast(({ kind }) => kind === "text");
  return part?.kind === "text" ? part.text : "";
}

function echoOf(text: string): string {
  // Long texts need not be looked at beyond what can show.
  const line = text.slice(0, 10 * ECHO_CHARACTERS_MAX).replace(/\s+/g, " ")
    .trim();
  const letters = [...line];
  if (letters.length <= ECHO_CHARACTERS_MAX) return line;
  return `${letters.slice(0, ECHO_CHARACTERS_MAX - 1).join("")}…`;
}

function countedHash(list: readonly unknown[]): string {
  return list.length === 0 ? "none" : `${list.length}:${shortHash(list)}`;
}

function shortHash(value: unknown): string {
  return sha256Hex(canonicalJson(value)).slice(0, 8);
}

/** Four characters a token, as a rule of thumb, counted the same everywhere. */
function inputTokensOf(conversation: Conversation): number {
  const { system, turns, tools } = conversation;
  const parts = turns.flatMap((turn) => turn.parts);
  const images = parts.filter((part) => part.kind === "image").length;
  const spoken = canonicalJson(
    turns.map((turn) => contentOf(turn.parts)),
  ).length;
  const rules = canonicalJson([normalText(system), tools]).length;
  return Math.ceil((spoken + rules) / 4) + images * IMAGE_TOKENS;
}
