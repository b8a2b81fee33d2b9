import { assertEquals } from "@std/assert";
import { providerFileName } from "./file_name.ts";

for (
  const { name, key, want } of [
    { name: "the last segment", key: "a/b/in-1.jsonl", want: "in-1.jsonl" },
    {
      name: "only safe characters",
      key: 'x/a b"c\r\nd\\é\u{1f600}.jsonl',
      want: "a_b_c__d___.jsonl",
    },
    {
      name: "the end of a long segment",
      key: `${"x".repeat(1000)}.jsonl`,
      want: `${"x".repeat(122)}.jsonl`,
    },
  ]
) {
  Deno.test(`providerFileName() keeps ${name}`, () => {
    assertEquals(providerFileName(key), want);
  });
}
