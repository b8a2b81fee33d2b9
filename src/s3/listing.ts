import { GatewayError } from "../domain/failure.ts";
import type { ObjectInfo } from "../domain/object.ts";

/** S3 gives at most as many entries a page, whatever is asked for. */
export const PAGE_ENTRIES_MAX = 1000;

const TOKEN_CHARS_MAX = 16 * 1024;

export interface ListingRequest {
  readonly prefix: string;
  /** "" for none. */
  readonly delimiter: string;
  /** Keys and common prefixes up to this one are left out; "" for none. */
  readonly after: string;
  readonly entriesMax: number;
}

export interface ListingPage {
  readonly objects: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  /** The page's last entry where more follow; null at the end. */
  readonly next: string | null;
}

/**
 * Gathers one page from objects in S3's order (all with the prefix, all after
 * `after`). Keys that share the part up to the first delimiter after the
 * prefix become one entry, their common prefix.
 */
export async function readPage(
  objects: AsyncIterable<ObjectInfo>,
  request: ListingRequest,
): Promise<ListingPage> {
  const page = { objects: [] as ObjectInfo[], commonPrefixes: [] as string[] };
  if (request.entriesMax === 0) return { ...page, next: null };
  let last: string | null = null;
  let count = 0;
  for await (const object of objects) {
    const group = commonPrefixOf(object.key, request);
    if (group !== null && (group === last || request.after.startsWith(group))) {
      continue;
    }
    if (count === request.entriesMax) return { ...page, next: last };
    count++;
    last = group ?? object.key;
    if (group === null) page.objects.push(object);
    else page.commonPrefixes.push(group);
  }
  return { ...page, next: null };
}

function commonPrefixOf(
  key: string,
  { prefix, delimiter }: ListingRequest,
): string | null {
  if (delimiter === "") return null;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? null : key.slice(0, at + delimiter.length);
}

/**
 * A continuation token: the last entry of the page before, marked so that it
 * is not mistaken for a key. It grants nothing; every page is read with the
 * caller's own rights.
 */
export function encodeToken(after: string): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ after }));
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte));
  return btoa(binary.join("")).replaceAll("+", "-").replaceAll("/", "_")
    .replace(/=+$/, "");
}

/** @throws {GatewayError} `invalid_argument`. */
export function decodeToken(token: string): string {
  const after = token.length > TOKEN_CHARS_MAX ? null : readToken(token);
  if (after !== null) return after;
  throw new GatewayError(
    {
      kind: "invalid_argument",
      argument: "continuation-token",
      value: token.slice(0, 128),
    },
    "The continuation token provided is incorrect",
  );
}

function readToken(token: string): string | null {
  try {
    const binary = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const after = "after" in value ? value.after : null;
    return typeof after === "string" ? after : null;
  } catch {
    return null;
  }
}
