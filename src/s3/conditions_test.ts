import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import {
  judgeRead,
  parsePutCondition,
  parseReadConditions,
} from "./conditions.ts";
import { quoteEtag, unquoteEtag } from "./etag.ts";

const OBJECT = {
  etag: "file-1",
  modifiedAt: new Date("2026-01-02T03:04:05.678Z"),
};
const BEFORE = "Fri, 02 Jan 2026 03:04:04 GMT";
const SAME = "Fri, 02 Jan 2026 03:04:05 GMT";
const AFTER = "Fri, 02 Jan 2026 03:04:06 GMT";

for (
  const { name, headers, want } of [
    { name: "none", headers: {}, want: "proceed" },
    {
      name: "If-Match that holds",
      headers: { "if-match": '"file-1"' },
      want: "proceed",
    },
    {
      name: "If-Match without quotes",
      headers: { "if-match": "file-1" },
      want: "proceed",
    },
    {
      name: "If-Match with a star",
      headers: { "if-match": "*" },
      want: "proceed",
    },
    {
      name: "If-Match with a list",
      headers: { "if-match": '"a", "file-1"' },
      want: "proceed",
    },
    {
      name: "If-Match that a proxy weakened",
      headers: { "if-match": 'W/"file-1"' },
      want: "proceed",
    },
    {
      name: "If-Match that fails",
      headers: { "if-match": '"file-2"' },
      want: "failed If-Match",
    },
    {
      name: "If-Match with nothing in it",
      headers: { "if-match": "" },
      want: "failed If-Match",
    },
    {
      name: "If-Match that holds over If-Unmodified-Since",
      headers: { "if-match": '"file-1"', "if-unmodified-since": BEFORE },
      want: "proceed",
    },
    {
      name: "If-Unmodified-Since that fails",
      headers: { "if-unmodified-since": BEFORE },
      want: "failed If-Unmodified-Since",
    },
    {
      name: "If-Unmodified-Since within the same second",
      headers: { "if-unmodified-since": SAME },
      want: "proceed",
    },
    {
      name: "If-None-Match that hits",
      headers: { "if-none-match": '"file-1"' },
      want: "not_modified",
    },
    {
      name: "If-None-Match with a star",
      headers: { "if-none-match": "*" },
      want: "not_modified",
    },
    {
      name: "If-None-Match that misses over If-Modified-Since",
      headers: { "if-none-match": '"x"', "if-modified-since": AFTER },
      want: "proceed",
    },
    {
      name: "If-None-Match that hits over If-Modified-Since",
      headers: { "if-none-match": '"file-1"', "if-modified-since": BEFORE },
      want: "not_modified",
    },
    {
      name: "If-Modified-Since before the change",
      headers: { "if-modified-since": BEFORE },
      want: "proceed",
    },
    {
      name: "If-Modified-Since within the same second",
      headers: { "if-modified-since": SAME },
      want: "not_modified",
    },
    {
      name: "a date that is none",
      headers: { "if-modified-since": "yesterday", "if-unmodified-since": "?" },
      want: "proceed",
    },
    {
      name: "a failed If-Match before a hit If-None-Match",
      headers: { "if-match": '"x"', "if-none-match": '"file-1"' },
      want: "failed If-Match",
    },
  ]
) {
  Deno.test(`judgeRead() judges ${name}`, () => {
    const given = new Headers(headers as Record<string, string>);
    const verdict = judgeRead(parseReadConditions(given), OBJECT);
    const text = verdict.kind === "failed"
      ? `failed ${verdict.condition}`
      : verdict.kind;
    assertEquals(text, want);
  });
}

Deno.test("parsePutCondition() reads what S3 takes on a write", () => {
  const read = (headers: Record<string, string>) =>
    parsePutCondition(new Headers(headers));
  assertEquals(read({}), { absent: false, etag: null });
  assertEquals(read({ "if-none-match": "*" }), { absent: true, etag: null });
  assertEquals(read({ "if-match": '"a"' }), { absent: false, etag: "a" });
});

for (
  const { name, headers } of [
    { name: "an ETag in If-None-Match", headers: { "if-none-match": '"a"' } },
    { name: "a star in If-Match", headers: { "if-match": "*" } },
    { name: "a list in If-Match", headers: { "if-match": '"a","b"' } },
  ]
) {
  Deno.test(`parsePutCondition() refuses ${name}`, () => {
    const given = new Headers(headers as Record<string, string>);
    const error = assertThrows(() => parsePutCondition(given), GatewayError);
    assertEquals(error.failure.kind, "unsupported");
  });
}

Deno.test("unquoteEtag() undoes quoteEtag() and takes bare ids", () => {
  assertEquals(unquoteEtag(quoteEtag("file-1")), "file-1");
  assertEquals(unquoteEtag("file-1"), "file-1");
  assertEquals(unquoteEtag(' "file-1" '), "file-1");
  assertEquals(unquoteEtag('"'), '"');
});
