import { assertEquals } from "@std/assert";
import { ArrayLines, EmptiedArrays } from "./json_array.ts";

async function pipe(
  text: string,
  pieceBytes: number,
  through: TransformStream<Uint8Array, Uint8Array>,
): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  let offset = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller): void {
      if (offset >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + pieceBytes));
      offset += pieceBytes;
    },
  });
  return await new Response(source.pipeThrough(through)).text();
}

const INLINED = {
  name: "batches/1",
  metadata: {
    state: "BATCH_STATE_SUCCEEDED",
    note: 'a "requests":[1] that is text',
    inputConfig: { requests: { requests: [{ a: [1] }, { b: "]" }] } },
  },
  response: {
    inlinedResponses: {
      inlinedResponses: [
        { response: { text: 'é ] "quoted" \\ [' }, metadata: { key: "1" } },
        { error: { code: 3, list: [1, [2, 3]] } },
        "text",
        5,
      ],
    },
  },
};

for (const pieceBytes of [1, 7, 100_000]) {
  for (const indent of [0, 2]) {
    const text = JSON.stringify(INLINED, null, indent);
    const name = `pieces of ${pieceBytes} bytes, indented by ${indent}`;

    Deno.test(`ArrayLines gives each element a line: ${name}`, async () => {
      const lines = await pipe(
        text,
        pieceBytes,
        new ArrayLines("inlinedResponses"),
      );
      const { inlinedResponses } = INLINED.response.inlinedResponses;
      assertEquals(
        lines,
        inlinedResponses.map((element) => `${JSON.stringify(element)}\n`)
          .join(""),
      );
    });

    Deno.test(`EmptiedArrays leaves out the bulk alone: ${name}`, async () => {
      const keys = ["requests", "inlinedResponses"];
      const slim = await pipe(text, pieceBytes, new EmptiedArrays(keys));
      assertEquals(JSON.parse(slim), {
        ...INLINED,
        metadata: {
          ...INLINED.metadata,
          inputConfig: { requests: { requests: [] } },
        },
        response: { inlinedResponses: { inlinedResponses: [] } },
      });
    });
  }
}

for (
  const { name, text } of [
    { name: "an empty array", text: '{"lines":[ ]}' },
    { name: "no such array", text: '{"other":[1],"x":"lines"}' },
    { name: "another kind of value", text: '{"lines":{"a":[1]}}' },
    { name: "the name as a value", text: '["lines",[1]]' },
    { name: "nothing", text: "" },
  ]
) {
  Deno.test(`ArrayLines gives nothing for ${name}`, async () => {
    assertEquals(await pipe(text, 3, new ArrayLines("lines")), "");
  });
}

Deno.test("ArrayLines reads the first array of that name alone", async () => {
  const text = '{"lines":[1,2],"again":{"lines":[3]}}';
  assertEquals(await pipe(text, 5, new ArrayLines("lines")), "1\n2\n");
});
