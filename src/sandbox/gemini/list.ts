import { GoogleError } from "./error.ts";

/** Something that lists show, newest first. */
export interface Listed {
  /** Rises with every creation; page tokens are made of it. */
  readonly sequence: number;
}

/**
 * One page of a list.
 *
 * @param items Newest first.
 * @throws {GoogleError} for a page size or token that cannot be.
 */
export function pageOf<T extends Listed>(
  items: readonly T[],
  query: URLSearchParams,
  size: { readonly default: number; readonly max: number },
): { readonly items: readonly T[]; readonly nextPageToken?: string } {
  const pageSize = pageSizeOf(query, size);
  const before = tokenOf(query);
  const rest = items.filter((item) => item.sequence < before);
  const page = rest.slice(0, pageSize);
  const last = page.at(-1);
  return rest.length > page.length && last !== undefined
    ? { items: page, nextPageToken: btoa(`before:${last.sequence}`) }
    : { items: page };
}

function pageSizeOf(
  query: URLSearchParams,
  size: { readonly default: number; readonly max: number },
): number {
  const text = query.get("pageSize");
  if (text === null || text === "0") return size.default;
  const pageSize = Number(text);
  if (Number.isInteger(pageSize) && pageSize > 0 && pageSize <= size.max) {
    return pageSize;
  }
  throw new GoogleError(
    "INVALID_ARGUMENT",
    `page_size must be between 0 and ${size.max}, got ${text}.`,
  );
}

function tokenOf(query: URLSearchParams): number {
  const token = query.get("pageToken");
  if (token === null || token === "") return Number.POSITIVE_INFINITY;
  const match = /^before:(\d+)$/.exec(decoded(token));
  if (match !== null) return Number(match[1]);
  throw new GoogleError("INVALID_ARGUMENT", "Page token is invalid.");
}

function decoded(token: string): string {
  try {
    return atob(token);
  } catch {
    return "";
  }
}
