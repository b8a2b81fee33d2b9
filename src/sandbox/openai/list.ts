import { OpenAiError } from "./error.ts";

/** The `limit` of a list call. @throws {OpenAiError} where out of range. */
export function limitOf(
  query: URLSearchParams,
  limitMax: number,
  limitDefault: number,
): number {
  const text = query.get("limit");
  if (text === null) return limitDefault;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= limitMax) return limit;
  throw new OpenAiError({
    status: 400,
    message:
      `Invalid 'limit': expected an integer between 1 and ${limitMax}, ` +
      `but got ${text} instead.`,
    param: "limit",
    code: "invalid_value",
  });
}

/** One page of a list, as every list of this API is answered. */
export function listPage(
  rest: readonly { readonly id: string }[],
  limit: number,
): Response {
  const data = rest.slice(0, limit);
  return Response.json({
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: rest.length > limit,
  });
}
