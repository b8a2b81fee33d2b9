import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectInfo } from "../domain/object.ts";
import {
  decodeToken,
  encodeToken,
  type ListingRequest,
  readPage,
} from "./listing.ts";
import { NO_HEADERS } from "./testing/memory_files.ts";

function objectAt(key: string): ObjectInfo {
  return {
    bucket: "b",
    key,
    etag: "e",
    sizeBytes: 1,
    modifiedAt: new Date(0),
    source: { kind: "kept_file", fileId: "e" },
    headers: NO_HEADERS,
  };
}

/** Lists as FileObjects promises to: with the prefix, after `after`. */
async function* list(
  keys: readonly string[],
  { prefix, after }: ListingRequest,
): AsyncGenerator<ObjectInfo> {
  for (const key of keys) {
    if (key.startsWith(prefix) && key > after) yield await objectAt(key);
  }
}

async function page(
  keys: readonly string[],
  request: Partial<ListingRequest>,
): Promise<{ keys: string[]; prefixes: string[]; next: string | null }> {
  const full = {
    prefix: "",
    delimiter: "",
    after: "",
    entriesMax: 1000,
    ...request,
  };
  const { objects, commonPrefixes, next } = await readPage(
    list(keys, full),
    full,
  );
  return {
    keys: objects.map((object) => object.key),
    prefixes: [...commonPrefixes],
    next,
  };
}

const KEYS = ["a", "b/1", "b/2", "b/c/3", "d", "e/4"];

for (
  const { name, request, want } of [
    {
      name: "everything",
      request: {},
      want: { keys: KEYS, prefixes: [], next: null },
    },
    {
      name: "a delimiter's groups once each",
      request: { delimiter: "/" },
      want: { keys: ["a", "d"], prefixes: ["b/", "e/"], next: null },
    },
    {
      name: "a delimiter after a prefix",
      request: { delimiter: "/", prefix: "b/" },
      want: { keys: ["b/1", "b/2"], prefixes: ["b/c/"], next: null },
    },
    {
      name: "a prefix that stops short of the delimiter",
      request: { delimiter: "/", prefix: "b" },
      want: { keys: [], prefixes: ["b/"], next: null },
    },
    {
      name: "a delimiter of several characters",
      request: { delimiter: "/c" },
      want: {
        keys: ["a", "b/1", "b/2", "d", "e/4"],
        prefixes: ["b/c"],
        next: null,
      },
    },
    {
      name: "no entries where none are wanted",
      request: { entriesMax: 0 },
      want: { keys: [], prefixes: [], next: null },
    },
    {
      name: "a page that is exactly full and the last",
      request: { entriesMax: 6 },
      want: { keys: KEYS, prefixes: [], next: null },
    },
    {
      name: "a page that ends in a key",
      request: { entriesMax: 1 },
      want: { keys: ["a"], prefixes: [], next: "a" },
    },
    {
      name: "a page that ends in a common prefix",
      request: { entriesMax: 2, delimiter: "/" },
      want: { keys: ["a"], prefixes: ["b/"], next: "b/" },
    },
    {
      name: "nothing more of a common prefix that came before",
      request: { after: "b/", delimiter: "/" },
      want: { keys: ["d"], prefixes: ["e/"], next: null },
    },
    {
      name: "nothing of a common prefix that a marker lies in",
      request: { after: "b/1", delimiter: "/" },
      want: { keys: ["d"], prefixes: ["e/"], next: null },
    },
    {
      name: "keys after a marker that is no key",
      request: { after: "b/1a" },
      want: { keys: ["b/2", "b/c/3", "d", "e/4"], prefixes: [], next: null },
    },
  ]
) {
  Deno.test(`readPage() gives ${name}`, async () => {
    assertEquals(await page(KEYS, request), want);
  });
}

Deno.test("readPage() gives every entry once, whatever the page size", async () => {
  const keys = Array.from({ length: 60 }, (_, n) => {
    const number = String(n).padStart(2, "0");
    return n % 3 === 0 ? `dir${n % 7}/${number}` : `key${number}`;
  }).toSorted();
  const whole = await page(keys, { delimiter: "/" });
  for (let entriesMax = 1; entriesMax <= 12; entriesMax++) {
    const seen = { keys: [] as string[], prefixes: [] as string[] };
    let after = "";
    for (let count = 0; count < 100; count++) {
      const got = await page(keys, { delimiter: "/", after, entriesMax });
      seen.keys.push(...got.keys);
      seen.prefixes.push(...got.prefixes);
      if (got.next === null) break;
      after = decodeToken(encodeToken(got.next));
    }
    assertEquals({ ...seen, next: null }, whole);
  }
});

for (const after of ["a", "ü/漢\u{1f600}", "+/=?&", "x".repeat(1024)]) {
  Deno.test(`decodeToken() undoes encodeToken() for ${after.slice(0, 9)}`, () => {
    assertEquals(decodeToken(encodeToken(after)), after);
  });
}

for (
  const token of [
    "",
    "x",
    "!!!",
    btoa("null"),
    btoa("[1]"),
    btoa('{"after":1}'),
    "A".repeat(20_000),
  ]
) {
  Deno.test(`decodeToken() refuses ${JSON.stringify(token.slice(0, 20))}`, () => {
    const error = assertThrows(() => decodeToken(token), GatewayError);
    assertEquals(error.failure.kind, "invalid_argument");
  });
}
