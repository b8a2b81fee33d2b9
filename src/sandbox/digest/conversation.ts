import { createHash } from "node:crypto";

/**
 * What a model is asked, whatever API it came through. The same conversation
 * sent in four formats becomes the same value, so that a field lost on the way
 * from one format to another can be seen.
 */
export interface Conversation {
  readonly system: readonly string[];
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  /** `auto`, `any`, `none` or `tool:<name>`; not given is `auto`. */
  readonly toolChoice: string;
  readonly stopSequences: readonly string[];
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly topK: number | null;
  /** A JSON schema, `true` for "any JSON", null for free text. */
  readonly outputSchema: unknown;
  /** Lower case, such as `low`. */
  readonly effort: string | null;
  readonly thinkingBudget: number | null;
  /** Request members without a counterpart in the other formats. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export interface Turn {
  readonly role: "user" | "assistant" | "system";
  readonly parts: readonly Part[];
}

export type Part =
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "image" | "document";
    /** An image's media type, `url` for a reference; see `documentType`. */
    readonly mediaType: string;
    readonly sha256: string;
  }
  /** Ids are the caller's own invention: calls are told apart by `ordinal`. */
  | {
    readonly kind: "tool_call";
    readonly ordinal: number;
    readonly name: string;
    readonly input: unknown;
  }
  | {
    readonly kind: "tool_result";
    /** Which call it answers, -1 where no call fits. */
    readonly ordinal: number;
    readonly failed: boolean;
    readonly parts: readonly Part[];
  }
  | { readonly kind: "reasoning"; readonly text: string }
  /** Something the normaliser does not know; `json` is all of it. */
  | { readonly kind: "unknown"; readonly json: unknown };

export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly schema: unknown;
  readonly strict: boolean;
}

/**
 * Joins neighbouring turns of one role, since a user turn that holds tool
 * results and text is one message in some formats and several in others, and
 * drops empty texts, which some formats cannot leave out.
 */
export function mergeTurns(turns: readonly Turn[]): Turn[] {
  const merged: { role: Turn["role"]; parts: Part[] }[] = [];
  for (const turn of turns) {
    const parts = turn.parts.filter((part) =>
      part.kind !== "text" || part.text !== ""
    );
    const last = merged.at(-1);
    if (last?.role === turn.role) last.parts.push(...parts);
    else merged.push({ role: turn.role, parts });
  }
  return merged;
}

/** Numbers tool calls in order and finds the call that a result answers. */
export class ToolCalls {
  readonly #calls: { id: string | null; name: string; answered: boolean }[] =
    [];

  add(id: string | null, name: string): number {
    this.#calls.push({ id, name, answered: false });
    return this.#calls.length - 1;
  }

  /** By id; without one, the oldest call of that name not yet answered. */
  answer(id: string | null, name: string | null): number {
    const ordinal = this.#calls.findIndex((call) =>
      id !== null && call.id !== null
        ? call.id === id
        : call.name === name && !call.answered
    );
    const call = this.#calls[ordinal];
    if (call !== undefined) call.answered = true;
    return ordinal;
  }
}

/** JSON with sorted member names, so that equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? "null";
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) =>
    [name, sorted(member)] as const
  );
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1));
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
