import { assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { readLines } from "./json_lines.ts";

function stream(text: string, chunkBytes: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    chunks.push(bytes.subarray(at, at + chunkBytes));
  }
  return ReadableStream.from(chunks);
}

async function linesOf(
  text: string,
  chunkBytes: number,
  lineBytesMax?: number,
): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(stream(text, chunkBytes), lineBytesMax)) {
    lines.push(new TextDecoder().decode(line));
  }
  return lines;
}

for (
  const { name, text, want } of [
    { name: "no bytes", text: "", want: [] },
    { name: "one line without a newline", text: "ab", want: ["ab"] },
    { name: "a last newline", text: "ab\ncd\n", want: ["ab", "cd"] },
    { name: "empty lines", text: "\n\nab\n\n\ncd", want: ["ab", "cd"] },
    { name: "letters of several bytes", text: "ü😀\né", want: ["ü😀", "é"] },
  ]
) {
  Deno.test(`readLines() reads ${name}, however it is cut`, async () => {
    for (let chunkBytes = 1; chunkBytes <= 8; chunkBytes++) {
      assertEquals(await linesOf(text, chunkBytes), want);
    }
  });
}

Deno.test("readLines() refuses a line over its bound, by number", async () => {
  const error = await assertRejects(
    () => linesOf("ab\nabcdef\n", 2, 4),
    GatewayError,
  );
  assertEquals(error.message, "Line 2 is longer than 4 bytes.");
});
