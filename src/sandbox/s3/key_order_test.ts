import { assert, assertEquals } from "@std/assert";
import { compareKeys, SortedKeys } from "./key_order.ts";

for (
  const { name, first, second } of [
    { name: "a prefix before its extension", first: "a", second: "a/" },
    { name: "capitals before small letters", first: "Z", second: "a" },
    { name: "U+FFFD before an emoji", first: "a\ufffd", second: "a😀" },
    { name: "two emoji by their second half", first: "😀", second: "😁" },
    { name: "an emoji before a longer one", first: "😀", second: "😀a" },
  ]
) {
  Deno.test(`compareKeys() puts ${name}`, () => {
    assertEquals(Math.sign(compareKeys(first, second)), -1);
    assertEquals(Math.sign(compareKeys(second, first)), 1);
    assertEquals(compareKeys(first, first), 0);
    const encode = (text: string) => [...new TextEncoder().encode(text)];
    const [left, right] = [encode(first), encode(second)];
    const at = left.findIndex((byte, index) => byte !== right[index]);
    assert((left[at] ?? -1) < (right[at] ?? 256));
  });
}

Deno.test("SortedKeys keeps each key once and in order", () => {
  const keys = new SortedKeys();
  for (const key of ["b", "a", "c", "b", "a/x"]) keys.add(key);
  keys.remove("c");
  keys.remove("not there");
  const all = Array.from({ length: keys.size }, (_, index) => keys.at(index));
  assertEquals(all, ["a", "a/x", "b"]);
  assertEquals(keys.indexFrom("a/"), 1);
});
