import { AnthropicError } from "./error.ts";
import { listPage } from "./list.ts";

/** Some of what the Models API lists, newest first. */
const MODELS = [
  model("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24", "opus"),
  model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15", "haiku"),
  model(
    "claude-sonnet-4-5-20250929",
    "Claude Sonnet 4.5",
    "2025-09-29",
    "sonnet",
  ),
  model("claude-opus-4-1-20250805", "Claude Opus 4.1", "2025-08-05", "opus"),
  model("claude-sonnet-4-20250514", "Claude Sonnet 4", "2025-05-22", "sonnet"),
] as const;

function model(
  id: string,
  displayName: string,
  day: string,
  line: "haiku" | "opus" | "sonnet",
): { readonly id: string } {
  const wire = {
    type: "model",
    id,
    display_name: displayName,
    created_at: `${day}T00:00:00Z`,
    line,
    lifecycle: "active",
    deprecated_at: null,
    retires_at: null,
    max_input_tokens: 200_000,
    max_tokens: 64_000,
    capabilities: null,
  };
  return wire;
}

/** The list above is short, so names are judged by their family. */
export function isModel(id: string): boolean {
  return /^claude-[a-z0-9-]+$/.test(id);
}

export function listModels(query: URLSearchParams): Response {
  return listPage(MODELS, query);
}

/** An alias, which is an id without its date, names the model too. */
export function retrieveModel(id: string): Response {
  const found = MODELS.find((entry) =>
    entry.id === id || entry.id.replace(/-\d{8}$/, "") === id
  );
  if (found !== undefined) return Response.json(found);
  throw new AnthropicError("not_found_error", `model: ${id}`);
}
