import { AnthropicError } from "./error.ts";

const LIMIT_MAX = 1000;
const LIMIT_DEFAULT = 20;

/**
 * One page of a list, as `limit`, `after_id` and `before_id` ask for it.
 *
 * @param items In the order in which the list shows them.
 * @throws {AnthropicError} for a limit or an id that cannot be.
 */
export function listPage(
  items: readonly { readonly id: string }[],
  query: URLSearchParams,
): Response {
  const limit = limitOf(query);
  const afterId = query.get("after_id");
  const beforeId = query.get("before_id");
  if (afterId !== null && beforeId !== null) {
    throw new AnthropicError(
      "invalid_request_error",
      "Only one of after_id and before_id may be given.",
    );
  }
  const start = afterId === null ? 0 : positionOf(items, afterId) + 1;
  const end = beforeId === null ? items.length : positionOf(items, beforeId);
  const rest = items.slice(start, end);
  const data = beforeId === null ? rest.slice(0, limit) : rest.slice(-limit);
  return Response.json({
    data,
    has_more: rest.length > data.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  });
}

function limitOf(query: URLSearchParams): number {
  const text = query.get("limit");
  if (text === null) return LIMIT_DEFAULT;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new AnthropicError(
    "invalid_request_error",
    `limit: Input should be between 1 and ${LIMIT_MAX}`,
  );
}

function positionOf(
  items: readonly { readonly id: string }[],
  id: string,
): number {
  const position = items.findIndex((item) => item.id === id);
  if (position >= 0) return position;
  throw new AnthropicError("invalid_request_error", `No such id: ${id}`);
}
