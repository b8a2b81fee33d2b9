import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { ObjectBody } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { encodeBody } from "./body_encoding.ts";

const MIB = 1024 * 1024;

Deno.test("encodeBody() sends a body without a trailer as it is", async () => {
  const encoded = encodeBody(bodyOf("hello"), "gzip");
  assertEquals(encoded.sizeBytes, 5);
  assertEquals(encoded.headers, { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" });
  assertEquals(await textOf(encoded.chunks), "hello");
});

Deno.test("encodeBody() frames a body with a trailer as aws-chunked", async () => {
  const name = "x-amz-checksum-crc32";
  const value = (): string => "NhCmhg==";
  const encoded = encodeBody(
    { ...bodyOf("hello"), trailer: { name, value } },
    "gzip",
  );
  assertEquals(encoded.headers, {
    "content-encoding": "gzip,aws-chunked",
    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "x-amz-decoded-content-length": "5",
    "x-amz-trailer": "x-amz-checksum-crc32",
  });
  assertEquals(
    await textOf(encoded.chunks),
    "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
  );
});

for (const sizeBytes of [0, 1, 15, 16, MIB - 1, MIB, MIB + 1, 3 * MIB + 5]) {
  Deno.test(`encodeBody() knows the framed length of ${sizeBytes} bytes`, async () => {
    for (const pieceBytes of [65_537, MIB, 5 * MIB]) {
      const trailer = {
        name: "x-amz-checksum-sha256",
        value: () => "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
      };
      const stream = inPieces(new Uint8Array(sizeBytes), pieceBytes);
      const encoded = encodeBody({ stream, sizeBytes, trailer }, undefined);
      let seenBytes = 0;
      for await (const chunk of encoded.chunks) seenBytes += chunk.length;
      assertEquals(seenBytes, encoded.sizeBytes);
      assertEquals(encoded.headers["content-encoding"], "aws-chunked");
    }
  });
}

const broken = new GatewayError(
  { kind: "bad_digest", algorithm: "md5" },
  "bad",
);

for (
  const { name, trailer } of [
    { name: "plain", trailer: undefined },
    {
      name: "with a trailer",
      trailer: { name: "x-amz-checksum-crc32", value: () => "NhCmhg==" },
    },
  ]
) {
  Deno.test(`encodeBody(), ${name}: what completes it waits for the body to close`, async () => {
    // Every byte has come, and then it turns out that they were the wrong ones.
    const stream = inPieces(new Uint8Array(10), 5, broken);
    const encoded = encodeBody(
      { stream, sizeBytes: 10, ...(trailer === undefined ? {} : { trailer }) },
      undefined,
    );
    let seenBytes = 0;
    const error = await assertRejects(async () => {
      for await (const chunk of encoded.chunks) seenBytes += chunk.length;
    });
    assertEquals(error, broken);
    assert(seenBytes < encoded.sizeBytes);
  });

  Deno.test(`encodeBody(), ${name}: a body of another size is incomplete`, async () => {
    for (const sizeBytes of [9, 11, 0]) {
      const stream = inPieces(new Uint8Array(10), 3);
      const encoded = encodeBody(
        { stream, sizeBytes, ...(trailer === undefined ? {} : { trailer }) },
        undefined,
      );
      let seenBytes = 0;
      const error = await assertRejects(async () => {
        for await (const chunk of encoded.chunks) seenBytes += chunk.length;
      }, GatewayError);
      assertEquals(error.failure, { kind: "incomplete_body" });
      assert(seenBytes < encoded.sizeBytes || sizeBytes === 0);
    }
  });
}

Deno.test("encodeBody() takes only trailers whose length it knows", async () => {
  const unknown = { name: "x-amz-checksum-new", value: () => "" };
  const error = assertThrows(
    () => encodeBody({ ...bodyOf("a"), trailer: unknown }, undefined),
    GatewayError,
  );
  assertEquals(error.failure.kind, "invalid_argument");

  const odd = { name: "x-amz-checksum-crc32", value: () => "too long for it" };
  const encoded = encodeBody({ ...bodyOf("a"), trailer: odd }, undefined);
  await assertRejects(() => textOf(encoded.chunks), GatewayError);
});

Deno.test("encodeBody(): an error that is not ours is the client's", async () => {
  const stream = inPieces(new Uint8Array(1), 1, new TypeError("reset"));
  const { chunks } = encodeBody({ stream, sizeBytes: 5 }, undefined);
  const error = await assertRejects(() => textOf(chunks), GatewayError);
  assertEquals(error.failure, { kind: "incomplete_body" });
});

Deno.test("encodeBody(): cancel() lets go of a body that is waited for", async () => {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    pull: () => new Promise(() => {}),
    cancel: () => resolve(),
  });
  const encoded = encodeBody({ stream, sizeBytes: 5 }, undefined);
  const reading = assertRejects(() => textOf(encoded.chunks), GatewayError);
  encoded.cancel();
  await cancelled;
  await reading;
});

function bodyOf(text: string): ObjectBody {
  const bytes = new TextEncoder().encode(text);
  return { stream: inPieces(bytes, 2), sizeBytes: bytes.length };
}

function inPieces(
  bytes: Uint8Array,
  pieceBytes: number,
  error?: Error,
): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (offset < bytes.length) {
        controller.enqueue(bytes.subarray(offset, offset + pieceBytes));
        offset += pieceBytes;
      } else if (error !== undefined) controller.error(error);
      else controller.close();
    },
  }, { highWaterMark: 0 });
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
