import { assert, assertEquals, assertThrows } from "@std/assert";
import { type FailureKind, GatewayError } from "../domain/failure.ts";
import { DIGEST_ALGORITHMS } from "./digest.ts";
import {
  BYTES_MAX,
  CRC32_TRAILER,
  digestOf,
  encode,
  failureOf,
  frame,
  frameSigned,
  HALVES,
  openBody,
  PLAIN,
  readAll,
  type Sent,
  SIGNED,
  SIGNED_TRAILER,
  TEXT,
  TRAILER_FORM,
  UNSIGNED_TRAILER,
  ZEROS,
} from "./testing/framed_body.ts";
import { openVerifiedBody } from "./verified_body.ts";

const LONGER = { "x-amz-decoded-content-length": String(TEXT.length + 1) };
const SHORTER = { "x-amz-decoded-content-length": String(TEXT.length - 1) };

const STREAM_FAILURES: readonly (Sent & {
  name: string;
  kind: FailureKind;
})[] = [
  {
    name: "a wrong x-amz-content-sha256",
    kind: "payload_hash_mismatch",
    headers: { ...PLAIN, "x-amz-content-sha256": ZEROS },
    body: TEXT,
  },
  {
    name: "a wrong Content-MD5",
    kind: "bad_digest",
    headers: { ...PLAIN, "content-md5": digestOf("md5", "") },
    body: TEXT,
  },
  {
    name: "a wrong trailer",
    kind: "bad_digest",
    headers: TRAILER_FORM,
    body: frame(TEXT, 64, "x-amz-checksum-crc32:AAAAAA==\r\n"),
  },
  {
    name: "a trailer that is no digest",
    kind: "invalid_digest",
    headers: TRAILER_FORM,
    body: frame(TEXT, 64, "x-amz-checksum-crc32:AAAA\r\n"),
  },
  {
    name: "no trailer where one was announced",
    kind: "incomplete_body",
    headers: TRAILER_FORM,
    body: frame(TEXT, 64, ""),
  },
  {
    name: "a trailer that was not announced",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: frame(TEXT, 64, `${CRC32_TRAILER}\r\n`),
  },
  {
    name: "another trailer than announced",
    kind: "incomplete_body",
    headers: { ...TRAILER_FORM, "x-amz-trailer": "x-amz-checksum-crc32c" },
    body: frame(TEXT, 64, `${CRC32_TRAILER}\r\n`),
  },
  {
    name: "a trailer twice",
    kind: "incomplete_body",
    headers: TRAILER_FORM,
    body: frame(TEXT, 64, `${CRC32_TRAILER}\r\n`.repeat(2)),
  },
  {
    name: "a trailer without a colon",
    kind: "incomplete_body",
    headers: TRAILER_FORM,
    body: frame(TEXT, 64, "x-amz-checksum-crc32\r\n"),
  },
  {
    name: "an endless trailer",
    kind: "incomplete_body",
    headers: TRAILER_FORM,
    body: frame(TEXT, 64, `x-amz-checksum-crc32:${"A".repeat(9000)}\r\n`),
  },
  {
    name: "more bytes than announced",
    kind: "incomplete_body",
    headers: { ...UNSIGNED_TRAILER, ...SHORTER },
    body: frame(TEXT, 64, ""),
  },
  {
    name: "fewer bytes than announced",
    kind: "incomplete_body",
    headers: { ...UNSIGNED_TRAILER, ...LONGER },
    body: frame(TEXT, 64, ""),
  },
  {
    name: "a chunk length that is no number",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: "xyz\r\n",
  },
  {
    name: "a chunk length of petabytes",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: "ffffffffffff\r\nabc",
  },
  {
    name: "a negative chunk length",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: "-1\r\n",
  },
  {
    name: "an endless chunk header",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: "0".repeat(100_000),
  },
  {
    name: "chunk headers that end with LF alone",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: frame(TEXT, 64, "").replace("40\r\n", "40f\n"),
  },
  {
    name: "a chunk longer than its header says",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: frame(TEXT, 64, "").replace("40\r\n", "3f\r\n"),
  },
  {
    name: "a signature on a chunk that should have none",
    kind: "incomplete_body",
    headers: UNSIGNED_TRAILER,
    body: frameSigned({ chunks: HALVES }),
  },
  {
    name: "chunks without their signatures",
    kind: "incomplete_body",
    signed: true,
    headers: SIGNED,
    body: frame(TEXT, 64, ""),
  },
  {
    name: "a wrong signature of the first chunk",
    kind: "signature_mismatch",
    signed: true,
    headers: SIGNED,
    body: frameSigned({ chunks: HALVES, corrupt: { chunk: 0 } }),
  },
  {
    name: "a wrong signature of the last, empty chunk",
    kind: "signature_mismatch",
    signed: true,
    headers: SIGNED,
    body: frameSigned({ chunks: HALVES, corrupt: { chunk: 2 } }),
  },
  {
    name: "signed chunks in another order",
    kind: "signature_mismatch",
    signed: true,
    headers: SIGNED,
    body: swapChunks(frameSigned({ chunks: HALVES })),
  },
  {
    name: "a changed byte in a signed chunk",
    kind: "signature_mismatch",
    signed: true,
    headers: SIGNED,
    body: frameSigned({ chunks: HALVES }).replace("recordId", "recordIe"),
  },
  {
    name: "a wrong signature of the trailer",
    kind: "signature_mismatch",
    signed: true,
    headers: SIGNED_TRAILER,
    body: frameSigned({
      chunks: HALVES,
      trailer: CRC32_TRAILER,
      corrupt: { trailer: true },
    }),
  },
  {
    name: "a trailer without a signature",
    kind: "incomplete_body",
    signed: true,
    headers: SIGNED_TRAILER,
    body: frameSigned({ chunks: HALVES, trailer: CRC32_TRAILER })
      .replace(/x-amz-trailer-signature:.*\r\n/, ""),
  },
];

function swapChunks(framed: string): string {
  const second = framed.indexOf(
    `${(TEXT.length - 100).toString(16)};chunk-signature=`,
  );
  const end = framed.indexOf("\r\n0;chunk-signature=") + 2;
  return framed.slice(second, end) + framed.slice(0, second) +
    framed.slice(end);
}

for (const { name, kind, ...sent } of STREAM_FAILURES) {
  Deno.test(`openVerifiedBody() errors with ${kind} on ${name}`, async () => {
    const bytes = encode(sent.body);
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    for (const parts of [[bytes], single]) {
      const failure = await failureOf(openBody(sent, parts));
      assertEquals(failure.kind, kind);
      // Whoever waits for all bytes must not have got them.
      assert(failure.receivedBytes < openBody(sent).sizeBytes);
    }
  });
}

for (const algorithm of DIGEST_ALGORITHMS) {
  Deno.test(`openVerifiedBody() verifies ${algorithm} in a header`, async () => {
    const header = `x-amz-checksum-${algorithm}`;
    const base64 = digestOf(algorithm, TEXT);
    const good = openBody({
      headers: { ...PLAIN, [header]: base64 },
      body: TEXT,
    });
    assertEquals(good.checksums, { [algorithm]: base64 });
    assertEquals(await readAll(good), TEXT);
    const changed = TEXT.replace("recordId", "recordIe");
    const bad = openBody({
      headers: { ...PLAIN, [header]: base64 },
      body: changed,
    });
    assertEquals((await failureOf(bad)).kind, "bad_digest");
  });

  Deno.test(`openVerifiedBody() verifies ${algorithm} in a trailer`, async () => {
    const name = `x-amz-checksum-${algorithm}`;
    const base64 = digestOf(algorithm, TEXT);
    const headers = { ...UNSIGNED_TRAILER, "x-amz-trailer": name };
    const trailer = `${name}:${base64}\r\n`;
    const good = openBody({ headers, body: frame(TEXT, 64, trailer) });
    assertThrows(() => good.trailer?.value(), GatewayError);
    assertEquals(await readAll(good), TEXT);
    assertEquals(good.trailer?.name, name);
    assertEquals(good.trailer?.value(), base64);
    const changed = TEXT.replace("recordId", "recordIe");
    const bad = openBody({ headers, body: frame(changed, 64, trailer) });
    assertEquals((await failureOf(bad)).kind, "bad_digest");
  });
}

Deno.test("openVerifiedBody() takes no body for an empty one, and for no other", async () => {
  const headers = new Headers({ "content-length": "0" });
  const input = { body: null, chunkSigner: null, bytesMax: BYTES_MAX };
  assertEquals(await readAll(openVerifiedBody({ ...input, headers })), "");
  const longer = new Headers({ "content-length": "1" });
  const { kind } = await failureOf(
    openVerifiedBody({ ...input, headers: longer }),
  );
  assertEquals(kind, "incomplete_body");
});

Deno.test("openVerifiedBody() reads no further than its reader does", async () => {
  let pulledCount = 0;
  const body = openVerifiedBody({
    headers: new Headers({ "content-length": "1000" }),
    body: new ReadableStream({
      pull(controller) {
        pulledCount++;
        controller.enqueue(new Uint8Array(10));
      },
    }, { highWaterMark: 0 }),
    chunkSigner: null,
    bytesMax: BYTES_MAX,
  });
  const reader = body.stream.getReader();
  await reader.read();
  await reader.read();
  // Two that were read, and the one that is held back.
  assertEquals(pulledCount, 3);
  await reader.cancel();
});

Deno.test("openVerifiedBody() cancels its source with its stream", async () => {
  let reason: unknown = null;
  const body = openVerifiedBody({
    headers: new Headers({ "content-length": "1000" }),
    body: new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: (given) => {
        reason = given;
      },
    }),
    chunkSigner: null,
    bytesMax: BYTES_MAX,
  });
  const reader = body.stream.getReader();
  await reader.read();
  await reader.cancel("enough");
  assertEquals(reason, "enough");
});

Deno.test("openVerifiedBody() cancels its source when the body is bad", async () => {
  let reason: unknown = null;
  const body = openVerifiedBody({
    headers: new Headers(UNSIGNED_TRAILER),
    body: new ReadableStream({
      pull: (controller) => controller.enqueue(encode("nonsense\r\n")),
      cancel: (given) => {
        reason = given;
      },
    }),
    chunkSigner: null,
    bytesMax: BYTES_MAX,
  });
  assertEquals((await failureOf(body)).kind, "incomplete_body");
  assert(reason instanceof GatewayError);
});

for (
  const { name, thrown, kind } of [
    {
      name: "a connection's error as incomplete_body",
      thrown: new Error("connection reset"),
      kind: "incomplete_body",
    },
    {
      name: "a GatewayError as it is",
      thrown: new GatewayError({ kind: "request_timeout" }, "Too slow."),
      kind: "request_timeout",
    },
  ]
) {
  Deno.test(`openVerifiedBody() shows ${name}`, async () => {
    const body = openVerifiedBody({
      headers: new Headers({ "content-length": "10" }),
      body: new ReadableStream({
        pull: (controller) => controller.error(thrown),
      }),
      chunkSigner: null,
      bytesMax: BYTES_MAX,
    });
    assertEquals((await failureOf(body)).kind, kind);
  });
}

Deno.test("openVerifiedBody() hands out views of large chunks", async () => {
  const payload = "x".repeat(10_000);
  const bytes = encode(frame(payload, 10_000, ""));
  const body = openBody({
    headers: { ...UNSIGNED_TRAILER, "x-amz-decoded-content-length": "10000" },
    body: "",
  }, [bytes]);
  for await (const piece of body.stream) {
    assertEquals(piece.buffer, bytes.buffer);
  }
});
