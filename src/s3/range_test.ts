import { assertEquals } from "@std/assert";
import { chooseRange, contentRange } from "./range.ts";

for (
  const { name, header, size, want } of [
    { name: "no header", header: null, size: 10, want: "whole" },
    { name: "a slice", header: "bytes=2-4", size: 10, want: "2+3" },
    { name: "one byte", header: "bytes=0-0", size: 10, want: "0+1" },
    { name: "an open end", header: "bytes=4-", size: 10, want: "4+6" },
    {
      name: "an end past the end",
      header: "bytes=8-99",
      size: 10,
      want: "8+2",
    },
    {
      name: "the whole as a range",
      header: "bytes=0-",
      size: 10,
      want: "0+10",
    },
    { name: "a suffix", header: "bytes=-3", size: 10, want: "7+3" },
    { name: "a suffix too long", header: "bytes=-30", size: 10, want: "0+10" },
    {
      name: "an empty suffix",
      header: "bytes=-0",
      size: 10,
      want: "unsatisfiable",
    },
    {
      name: "a start at the end",
      header: "bytes=10-",
      size: 10,
      want: "unsatisfiable",
    },
    {
      name: "a start past the end",
      header: "bytes=11-12",
      size: 10,
      want: "unsatisfiable",
    },
    {
      name: "any slice of nothing",
      header: "bytes=0-",
      size: 0,
      want: "unsatisfiable",
    },
    {
      name: "a suffix of nothing",
      header: "bytes=-1",
      size: 0,
      want: "unsatisfiable",
    },
    {
      name: "numbers past 2^53",
      header: "bytes=1-99999999999999999999",
      size: 10,
      want: "1+9",
    },
    {
      name: "a start past 2^53",
      header: "bytes=99999999999999999999-",
      size: 10,
      want: "unsatisfiable",
    },
    {
      name: "an end before the start",
      header: "bytes=5-2",
      size: 10,
      want: "whole",
    },
    {
      name: "several ranges",
      header: "bytes=0-1,3-4",
      size: 10,
      want: "whole",
    },
    { name: "another unit", header: "lines=0-1", size: 10, want: "whole" },
    { name: "no numbers", header: "bytes=-", size: 10, want: "whole" },
    { name: "no range at all", header: "bytes", size: 10, want: "whole" },
    { name: "letters", header: "bytes=a-b", size: 10, want: "whole" },
    {
      name: "another case and spaces",
      header: "Bytes = 1 - 2",
      size: 10,
      want: "1+2",
    },
  ]
) {
  Deno.test(`chooseRange() reads ${name}`, () => {
    const choice = chooseRange(header, size);
    const text = choice.kind === "slice"
      ? `${choice.range.offsetBytes}+${choice.range.lengthBytes}`
      : choice.kind;
    assertEquals(text, want);
  });
}

Deno.test("contentRange() names the last byte, not the one after", () => {
  const range = { offsetBytes: 2, lengthBytes: 3 };
  assertEquals(contentRange(range, 10), "bytes 2-4/10");
});
