import { assert, assertEquals } from "@std/assert";
import { markedFileName, markOf, readMark } from "./file_mark.ts";
import { newUploadId } from "./upload_id.ts";

const ID = newUploadId(new Date(0));
const MARK = markOf(ID, "0123456789abcdef");

for (
  const { key, want } of [
    { key: "in/a.jsonl", want: `a.${ID}-01234567.jsonl` },
    { key: "a", want: `a.${ID}-01234567` },
    { key: "a b.tar.gz", want: `a_b.tar.${ID}-01234567.gz` },
    { key: ".jsonl", want: `.jsonl.${ID}-01234567` },
    {
      key: "a.no-ending-is-so-long",
      want: `a.no-ending-is-so-long.${ID}-01234567`,
    },
  ]
) {
  Deno.test(`markedFileName() names ${key}`, () => {
    assertEquals(markedFileName(key, MARK), want);
  });
}

Deno.test("markedFileName() is bounded, and its mark survives", () => {
  const name = markedFileName(`${"x".repeat(1000)}.jsonl`, MARK);
  assert(name.length < 200);
  assertEquals(readMark(name), MARK);
});

for (
  const name of [
    markedFileName("a.jsonl", MARK),
    `${markedFileName("a.png", MARK)}.jsonl`,
    `${markedFileName("a", MARK)}.jsonl`,
  ]
) {
  Deno.test(`readMark() finds the mark in ${name.slice(-20)}`, () => {
    assertEquals(readMark(name), MARK);
  });
}

for (const name of ["", "a.jsonl", `${ID}-01234567`, `a.${ID}.jsonl`]) {
  Deno.test(`readMark() finds none in "${name.slice(0, 12)}"`, () => {
    assertEquals(readMark(name), null);
  });
}
