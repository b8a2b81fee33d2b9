import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../../domain/failure.ts";
import { multipartForm } from "./multipart.ts";

function bodyOf(
  texts: readonly string[],
  error?: Error,
): ReadableStream<Uint8Array> {
  const waiting = [...texts];
  return new ReadableStream({
    pull(controller): void {
      const text = waiting.shift();
      if (text !== undefined) {
        controller.enqueue(new TextEncoder().encode(text));
      } else if (error) controller.error(error);
      else controller.close();
    },
  });
}

function formOf(
  file: Partial<Parameters<typeof multipartForm>[1]>,
): ReturnType<typeof multipartForm> {
  return multipartForm({ purpose: "batch" }, {
    fileName: "input.jsonl",
    contentType: "application/jsonl",
    sizeBytes: 4,
    body: bodyOf(["{}", "\n\n"]),
    ...file,
  });
}

function fileOf(form: FormData): File {
  const file = form.get("file");
  if (file instanceof File) return file;
  throw new Error("the form has no file");
}

Deno.test("multipartForm() is what a standard parser reads, of the length it says", async () => {
  const form = formOf({});
  const bytes = await new Response(form.stream).bytes();
  assertEquals(bytes.byteLength, form.sizeBytes);
  const headers = { "content-type": form.contentType };
  const parsed = await new Response(bytes, { headers }).formData();
  assertEquals(parsed.get("purpose"), "batch");
  const file = fileOf(parsed);
  assertEquals(file.name, "input.jsonl");
  assertEquals(file.type, "application/jsonl");
  assertEquals(await file.text(), "{}\n\n");
  assertEquals(form.failure(), null);
});

for (
  const { name, fileName } of [
    { name: "quotes", fileName: 'a"b".jsonl' },
    { name: "line ends", fileName: "a\r\nx-evil: 1\r\n\r\n.jsonl" },
    { name: "other scripts", fileName: "данные-データ.jsonl" },
  ]
) {
  Deno.test(`multipartForm() keeps ${name} in a file name from breaking out`, async () => {
    const form = formOf({ fileName });
    const headers = { "content-type": form.contentType };
    const parsed = await new Response(form.stream, { headers }).formData();
    assertEquals([...parsed.keys()], ["purpose", "file"]);
    assert(!/[\r\n]/.test(fileOf(parsed).name));
  });
}

for (
  const { name, body, want } of [
    {
      name: "errors",
      body: bodyOf(
        ["{}\n\n"],
        new GatewayError({ kind: "bad_digest", algorithm: "md5" }, "bad"),
      ),
      want: "bad_digest",
    },
    {
      name: "is cut",
      body: bodyOf(["{}"], new TypeError("cut")),
      want: "incomplete_body",
    },
    { name: "is short", body: bodyOf(["{}\n"]), want: "incomplete_body" },
    { name: "is long", body: bodyOf(["{}\n\n", "x"]), want: "incomplete_body" },
  ]
) {
  Deno.test(`multipartForm() never closes a form whose body ${name}`, async () => {
    const form = formOf({ body });
    let text = "";
    const read = async (): Promise<void> => {
      for await (const chunk of form.stream) {
        text += new TextDecoder().decode(chunk);
      }
    };
    await assertRejects(read, GatewayError);
    assertEquals(form.failure()?.failure.kind, want);
    const boundary = form.contentType.split("boundary=")[1] ?? "";
    assert(text.includes(boundary));
    assert(!text.includes(`--${boundary}--`));
  });
}
