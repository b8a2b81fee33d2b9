import { assertEquals } from "@std/assert";
import { compareKeys, keySizeBytes, lastSegment } from "./key_order.ts";

const ORDERED = [
  "",
  "\0",
  "a",
  "a\0",
  "a/",
  "aa",
  "b",
  "é",
  "日",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10000}",
  "\u{1f600}",
  "\u{1f600}a",
  "\u{10ffff}",
];

Deno.test("compareKeys() puts keys in the order of their UTF-8 bytes", () => {
  for (const [i, a] of ORDERED.entries()) {
    for (const [j, b] of ORDERED.entries()) {
      assertEquals(Math.sign(compareKeys(a, b)), Math.sign(i - j));
    }
  }
});

for (
  const { key, want } of [
    { key: "a", want: "a" },
    { key: "a/b/c", want: "c" },
    { key: "/c", want: "c" },
    { key: "a/", want: "" },
    { key: "", want: "" },
  ]
) {
  Deno.test(`lastSegment() of "${key}" is "${want}"`, () => {
    assertEquals(lastSegment(key), want);
  });
}

Deno.test("keySizeBytes() counts UTF-8", () => {
  assertEquals(keySizeBytes("aé日\u{1f600}"), 1 + 2 + 3 + 4);
});
