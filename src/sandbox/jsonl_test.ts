import { assertEquals } from "@std/assert";
import {
  BufferedFile,
  type JsonLine,
  JsonLinesWriter,
  readJsonLines,
} from "./jsonl.ts";

async function withFile(
  content: string | Uint8Array,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(path, bytes);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

const long = "ü".repeat(300_000);

for (
  const { name, content, want } of [
    { name: "an empty file", content: "", want: [] },
    { name: "a last line without a line break", content: "1", want: [[1, 1]] },
    {
      name: "blank lines, which still count",
      content: "\n1\r\n \n2\n\n",
      want: [[2, 1], [4, 2]],
    },
    {
      name: "lines that are no JSON",
      content: "{\n[]\nx",
      want: [[1, undefined], [2, []], [3, undefined]],
    },
    {
      name: "lines longer than one read",
      content: `"${long}"\n"${long}"`,
      want: [[1, long], [2, long]],
    },
    {
      name: "what is not UTF-8",
      content: new Uint8Array([0x22, 0xff, 0x22, 0x0a, 0x31]),
      want: [[1, undefined], [2, 1]],
    },
  ]
) {
  Deno.test(`readJsonLines() reads ${name}`, async () => {
    await withFile(content, async (path) => {
      const lines = await Array.fromAsync(
        readJsonLines(path),
        (line: JsonLine) => [line.number, line.value],
      );
      assertEquals(lines, want);
    });
  });
}

Deno.test("readJsonLines() closes its file when a reader stops early", async () => {
  await withFile("1\n2\n", async (path) => {
    for await (const line of readJsonLines(path)) {
      assertEquals(line.value, 1);
      break;
    }
    // The resource checks of the test runner tell whether it is closed.
  });
});

Deno.test("JsonLinesWriter writes what readJsonLines() reads", async () => {
  await withFile("old", async (path) => {
    const values = Array.from({ length: 2000 }, (_, index) => ({
      index,
      text: `line\n${"x".repeat(index)}`,
    }));
    const writer = await JsonLinesWriter.create(path);
    for (const value of values) await writer.write(value);
    await writer.close();
    assertEquals((await Deno.stat(path)).size, writer.sizeBytes);
    const read = await Array.fromAsync(
      readJsonLines(path),
      (line: JsonLine) => line.value,
    );
    assertEquals(read, values);
  });
});

Deno.test("BufferedFile keeps the order of its pieces", async () => {
  await withFile("", async (path) => {
    const file = new BufferedFile(await Deno.open(path, { write: true }));
    const pieces = Array.from(
      { length: 40 },
      (_, index) => new Uint8Array(100_000).fill(index),
    );
    for (const piece of pieces) await file.write(piece);
    await file.flush();
    file.close();
    const written = await Deno.readFile(path);
    assertEquals(written.length, 4_000_000);
    const starts = pieces.map((_, index) => written[index * 100_000]);
    assertEquals(starts, pieces.map((piece) => piece[0]));
  });
});
