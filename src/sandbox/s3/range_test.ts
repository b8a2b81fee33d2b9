import { assertEquals, assertThrows } from "@std/assert";
import { S3Failure } from "./failure.ts";
import { parseRange, partSpan } from "./range.ts";

for (
  const { header, want } of [
    { header: "bytes=0-3", want: { offset: 0, end: 4 } },
    { header: "bytes=3-", want: { offset: 3, end: 10 } },
    { header: "bytes=-4", want: { offset: 6, end: 10 } },
    { header: "bytes=-40", want: { offset: 0, end: 10 } },
    { header: "bytes=9-1000", want: { offset: 9, end: 10 } },
    { header: "bytes=0-1,3-4", want: null },
    { header: "bytes=5-2", want: null },
    { header: "lines=0-1", want: null },
    { header: "bytes=-", want: null },
    { header: null, want: null },
  ]
) {
  Deno.test(`parseRange() reads ${header} of ten bytes`, () => {
    assertEquals(parseRange(header, 10), want);
  });
}

for (
  const { header, sizeBytes } of [
    { header: "bytes=10-", sizeBytes: 10 },
    { header: "bytes=-0", sizeBytes: 10 },
    { header: "bytes=0-0", sizeBytes: 0 },
    { header: "bytes=-1", sizeBytes: 0 },
  ]
) {
  Deno.test(`parseRange() refuses ${header} of ${sizeBytes} bytes`, () => {
    const failure = assertThrows(
      () => parseRange(header, sizeBytes),
      S3Failure,
    );
    assertEquals(failure.code, "InvalidRange");
  });
}

Deno.test("partSpan() finds a part's bytes, and null behind the last", () => {
  assertEquals(partSpan([5, 5, 2], 3), { offset: 10, end: 12 });
  assertEquals(partSpan([5, 5, 2], 4), null);
});
