import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../domain/bytes.ts";
import { concatenatedLines } from "./json_lines.ts";

function source(text: string): () => Promise<ByteStream> {
  const chunks = text === "" ? [] : text.split(/(?<=b)/);
  const encoder = new TextEncoder();
  return () =>
    Promise.resolve(ReadableStream.from(chunks.map((c) => encoder.encode(c))));
}

for (
  const { name, texts, want } of [
    { name: "nothing", texts: [], want: "" },
    { name: "one file", texts: ["ab\n"], want: "ab\n" },
    { name: "a file without an end", texts: ["ab\ncd"], want: "ab\ncd\n" },
    { name: "two files", texts: ["ab\n", "cd\n"], want: "ab\ncd\n" },
    {
      name: "two files without ends",
      texts: ["abab", "cd"],
      want: "abab\ncd\n",
    },
    { name: "empty files", texts: ["", "ab", "", ""], want: "ab\n" },
  ]
) {
  Deno.test(`concatenatedLines() joins ${name}`, async () => {
    const stream = await concatenatedLines(texts.map(source));
    assertEquals(await new Response(stream).text(), want);
  });
}

Deno.test("concatenatedLines() rejects where the first file is absent", async () => {
  await assertRejects(
    () => concatenatedLines([() => Promise.reject(new Error("absent"))]),
    Error,
    "absent",
  );
});

Deno.test("concatenatedLines() errors where a later file is absent", async () => {
  const stream = await concatenatedLines([
    source("ab\n"),
    () => Promise.reject(new Error("absent")),
  ]);
  await assertRejects(() => Array.fromAsync(stream), Error, "absent");
});

Deno.test("concatenatedLines() cancels the file that is being read", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array([0x61])),
    cancel: () => {
      cancelled = true;
    },
  });
  const stream = await concatenatedLines([() => Promise.resolve(endless)]);
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel();
  assert(cancelled);
});
