import { assert, assertEquals } from "@std/assert";
import { cutRange } from "./byte_range.ts";
import { failureOf, streamOf, textOf, utf8 } from "./file_fixture.ts";

const TEXT = "0123456789abcdefghij";

for (
  const { name, offsetBytes, lengthBytes } of [
    { name: "the start", offsetBytes: 0, lengthBytes: 3 },
    { name: "within one chunk", offsetBytes: 5, lengthBytes: 1 },
    { name: "over several chunks", offsetBytes: 3, lengthBytes: 10 },
    { name: "whole chunks", offsetBytes: 4, lengthBytes: 8 },
    { name: "the last byte", offsetBytes: 19, lengthBytes: 1 },
    { name: "everything", offsetBytes: 0, lengthBytes: 20 },
    { name: "nothing", offsetBytes: 7, lengthBytes: 0 },
  ]
) {
  Deno.test(`cutRange() gives exactly ${name}`, async () => {
    const stream = cutRange(streamOf(utf8(TEXT), 4), {
      offsetBytes,
      lengthBytes,
    });
    assertEquals(
      await textOf(stream),
      TEXT.slice(offsetBytes, offsetBytes + lengthBytes),
    );
  });
}

/** An endless source that tells how far it was read and whether it ended. */
function endlessSource() {
  const seen = { pulls: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      seen.pulls++;
      controller.enqueue(utf8("0123456789"));
    },
    cancel: () => {
      seen.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { seen, stream };
}

Deno.test("cutRange() ends its source once the range is complete", async () => {
  const { seen, stream } = endlessSource();
  const range = { offsetBytes: 15, lengthBytes: 10 };
  assertEquals(await textOf(cutRange(stream, range)), "5678901234");
  assertEquals(seen, { pulls: 3, cancelled: true });
});

Deno.test("cutRange() reads on demand only, and passes a cancel on", async () => {
  const { seen, stream } = endlessSource();
  const cut = cutRange(stream, { offsetBytes: 0, lengthBytes: 1000 });
  assertEquals(seen.pulls, 0);
  const reader = cut.getReader();
  await reader.read();
  assertEquals(seen.pulls, 1);
  await reader.cancel();
  assert(seen.cancelled);
});

Deno.test("cutRange() fails where the content ends before the range", async () => {
  const cut = cutRange(streamOf(utf8(TEXT), 4), {
    offsetBytes: 18,
    lengthBytes: 5,
  });
  assertEquals(await failureOf(textOf(cut)), "upstream_failed");
});
