import { assertEquals } from "@std/assert";
import { canonicalRawKey } from "./raw_key.ts";

for (
  const { name, raw, want } of [
    { name: "a plain key", raw: "a/b-c_d.e~f/1", want: "a/b-c_d.e~f/1" },
    {
      name: "dots and empty segments",
      raw: "../x//y/./z/..",
      want: "../x//y/./z/..",
    },
    { name: "an encoded slash", raw: "a%2Fb%2f", want: "a%2Fb%2F" },
    { name: "characters that need no encoding", raw: "%41%7e%2E", want: "A~." },
    {
      name: "characters that need one",
      raw: "a(b)'*!=@:,",
      want: "a%28b%29%27%2A%21%3D%40%3A%2C",
    },
    { name: "lower-case hex", raw: "%c3%bc%3d", want: "%C3%BC%3D" },
    { name: "bare unicode", raw: "ü😀", want: "%C3%BC%F0%9F%98%80" },
    { name: "a plus, bare or not", raw: "a+b%2Bc", want: "a+b%2Bc" },
    { name: "bytes that are no UTF-8", raw: "%ff%FE", want: "%FF%FE" },
    { name: "an encoded percent sign", raw: "%2541", want: "%2541" },
    { name: "a stray percent sign", raw: "100%", want: "100%25" },
  ]
) {
  Deno.test(`canonicalRawKey() keeps the bytes of ${name}`, () => {
    assertEquals(canonicalRawKey(raw), want);
    assertEquals(canonicalRawKey(want), want);
  });
}
