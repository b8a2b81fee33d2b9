import { assertEquals, assertRejects } from "@std/assert";
import { AwsChunkedBody } from "./aws_chunked.ts";
import { S3Failure } from "./failure.ts";

const WHOLE =
  "5;chunk-signature=00ff\r\nhello\r\n7\r\n, world\r\n0\r\nX-Amz-Checksum-Crc32: /0hKIA==\r\nx-amz-trailer-signature:aa\r\n\r\n";

async function* pieces(
  text: string,
  sizeBytes: number,
): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.length; offset += sizeBytes) {
    yield bytes.subarray(offset, offset + sizeBytes);
  }
}

async function textOf(body: AwsChunkedBody): Promise<string> {
  let text = "";
  for await (const bytes of body.bytes()) {
    text += new TextDecoder().decode(bytes);
  }
  return text;
}

for (const sizeBytes of [1, 2, 3, 7, 1000]) {
  Deno.test(`AwsChunkedBody reads ${sizeBytes} bytes at a time`, async () => {
    const body = new AwsChunkedBody(pieces(WHOLE, sizeBytes));
    assertEquals(await textOf(body), "hello, world");
    assertEquals(Object.fromEntries(body.trailers), {
      "x-amz-checksum-crc32": "/0hKIA==",
      "x-amz-trailer-signature": "aa",
    });
  });
}

for (const text of ["0\r\n", "0\r\n\r\n"]) {
  Deno.test(`AwsChunkedBody takes ${JSON.stringify(text)} as empty`, async () => {
    assertEquals(await textOf(new AwsChunkedBody(pieces(text, 100))), "");
  });
}

for (
  const { name, text } of [
    { name: "a chunk cut short", text: "5\r\nhel" },
    { name: "no last chunk", text: "5\r\nhello\r\n" },
    { name: "a size that is no number", text: "x\r\nhello\r\n0\r\n\r\n" },
    { name: "a chunk longer than said", text: "2\r\nhello\r\n0\r\n\r\n" },
    { name: "an endless line", text: "1".repeat(10_000) },
    { name: "a trailer without a name", text: "0\r\nnothing\r\n\r\n" },
  ]
) {
  Deno.test(`AwsChunkedBody refuses ${name}`, async () => {
    const failure = await assertRejects(
      () => textOf(new AwsChunkedBody(pieces(text, 100))),
      S3Failure,
    );
    assertEquals(failure.code, "IncompleteBody");
  });
}
