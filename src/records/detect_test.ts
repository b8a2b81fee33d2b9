import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  DETECT_BYTES_MAX,
  FormatDetector,
  peekFormat,
  type RecordFormat,
} from "./detect.ts";

const BOM = "\ufeff";

const CASES: readonly {
  readonly name: string;
  readonly text: string;
  readonly want: RecordFormat | null;
}[] = [
  {
    name: "a Bedrock record",
    text: '{"recordId":"a1","modelInput":{"messages":[]}}\n',
    want: "bedrock",
  },
  {
    name: "an OpenAI record",
    text: '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n',
    want: "openai",
  },
  {
    name: "an OpenAI record whose body comes first",
    text: '{"body":{"model":"m"},"custom_id":"a"}',
    want: "openai",
  },
  {
    name: "a route behind a custom_id, without a body",
    text: '{"custom_id":"a","url":"/v1/embeddings"}',
    want: "openai",
  },
  {
    name: "a route before a custom_id",
    text: '{"method":"POST","custom_id":"a"}',
    want: "openai",
  },
  {
    name: "a Gemini record",
    text: '{"key":"a","request":{"contents":[]}}',
    want: "gemini",
  },
  {
    name: "a Gemini record with metadata.key",
    text: '{"metadata":{"key":"a"},"request":{"contents":[]}}',
    want: "gemini",
  },
  {
    name: "an Anthropic record",
    text: '{"custom_id":"a","params":{"model":"m"}}',
    want: "anthropic",
  },
  {
    name: "keys of other formats within values",
    text: '{"x":{"body":{"params":1}},"y":["request",{"body":1}],' +
      '"modelInput":{}}',
    want: "bedrock",
  },
  {
    name: "a decisive word as a value",
    text: '{"key":"params","request":{}}',
    want: "gemini",
  },
  {
    name: "braces, quotes and backslashes within strings",
    text: String.raw`{"a":"}\"{\\","b":"\\\"body\":","params":{}}`,
    want: "anthropic",
  },
  {
    name: "a key written with escapes",
    text: String.raw`{"\u006dodelInput":{}}`,
    want: "bedrock",
  },
  {
    name: "white space everywhere",
    text: ' { "key" :\t"a" , "request" : { } }\r\n',
    want: "gemini",
  },
  {
    name: "a byte order mark and blank lines in front",
    text: `${BOM}\r\n  \n\n{"params":{}}`,
    want: "anthropic",
  },
  { name: "a custom_id alone", text: '{"custom_id":"a"}\n', want: null },
  { name: "a method alone", text: '{"method":"POST"}\n', want: null },
  {
    name: "a decisive key in the second record only",
    text: '{"custom_id":"a"}\n{"params":{}}\n',
    want: null,
  },
  {
    name: "an object over several lines",
    text: '{\n "modelInput": {}\n}',
    want: null,
  },
  { name: "a result line", text: '{"id":"b","response":{}}\n', want: null },
  { name: "a key that only starts like one", text: '{"bodyx":1}', want: null },
  {
    name: "a long key that starts like one",
    text: `{"body${"x".repeat(100)}":1}`,
    want: null,
  },
  { name: "a key without a colon", text: '{"body"}', want: null },
  { name: "a list", text: '[{"body":{}}]', want: null },
  { name: "a string", text: '"body"', want: null },
  { name: "text", text: "hello", want: null },
  { name: "nothing", text: "", want: null },
  { name: "blank lines alone", text: "\n\n", want: null },
  { name: "an empty object", text: "{}", want: null },
];

for (const { name, text, want } of CASES) {
  Deno.test(`FormatDetector tells ${want ?? "no format"} from ${name}`, () => {
    const bytes = new TextEncoder().encode(text);
    assertEquals(detect([bytes]), want);
    // However the bytes are cut into chunks.
    assertEquals(
      detect([...bytes].map((byte) => new Uint8Array([byte]))),
      want,
    );
  });
}

Deno.test("FormatDetector decides at a key, whatever its value holds", () => {
  const detector = new FormatDetector();
  detector.push(new TextEncoder().encode('{"recordId":"a","modelInput":'));
  assert(detector.decided);
  assertEquals(detector.format, "bedrock");
});

Deno.test("FormatDetector gives up after its bound", () => {
  const detector = new FormatDetector();
  const start = new TextEncoder().encode('{"metadata":"');
  detector.push(start);
  detector.push(new Uint8Array(DETECT_BYTES_MAX - start.length - 1).fill(0x78));
  assert(!detector.decided);
  detector.push(new TextEncoder().encode('x","request":{}}'));
  assert(detector.decided);
  assertEquals(detector.format, null);
});

function detect(chunks: readonly Uint8Array[]): RecordFormat | null {
  const detector = new FormatDetector();
  for (const chunk of chunks) detector.push(chunk);
  return detector.format;
}

/** A source that counts what was asked of it. */
function countedSource(chunks: readonly string[], end?: Error) {
  const seen = { pulls: 0, cancelled: null as unknown };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[seen.pulls];
      seen.pulls++;
      if (chunk !== undefined) {
        controller.enqueue(new TextEncoder().encode(chunk));
      } else if (end !== undefined) controller.error(end);
      else controller.close();
    },
    cancel: (reason) => {
      seen.cancelled = reason;
    },
  }, { highWaterMark: 0 });
  return { seen, stream };
}

Deno.test("peekFormat() hands every byte on untouched", async () => {
  const chunks = ["\n", '{"custom_id":"a",', '"par', 'ams":{', "}}\n", "tail"];
  const peeked = await peekFormat(countedSource(chunks).stream);
  assertEquals(peeked.format, "anthropic");
  assert(!peeked.empty);
  assertEquals(await new Response(peeked.stream).text(), chunks.join(""));
});

Deno.test("peekFormat() reads no further than it must, nor does its stream", async () => {
  const { seen, stream } = countedSource(['{"body":', "1", "}", "\n"]);
  const peeked = await peekFormat(stream);
  assertEquals(seen.pulls, 1);
  const reader = peeked.stream.getReader();
  await reader.read();
  assertEquals(seen.pulls, 1);
  await reader.read();
  assertEquals(seen.pulls, 2);
  await reader.cancel("enough");
  assertEquals(seen.cancelled, "enough");
});

Deno.test("peekFormat() tells an empty stream from one without records", async () => {
  const nothing = await peekFormat(countedSource([]).stream);
  assertEquals([nothing.format, nothing.empty], [null, true]);
  assertEquals(await new Response(nothing.stream).text(), "");
  const blank = await peekFormat(countedSource(["\n"]).stream);
  assertEquals([blank.format, blank.empty], [null, false]);
  assertEquals(await new Response(blank.stream).text(), "\n");
});

Deno.test("peekFormat() passes the source's errors on, early and late", async () => {
  const broken = new Error("cut");
  const early = countedSource(['{"custom_id"'], broken);
  assertEquals(
    await assertRejects(() => peekFormat(early.stream)),
    broken,
  );
  const late = countedSource(['{"body":1}'], broken);
  const { stream } = await peekFormat(late.stream);
  assertEquals(
    await assertRejects(() => new Response(stream).text()),
    broken,
  );
});
