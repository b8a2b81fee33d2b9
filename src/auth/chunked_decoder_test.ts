import { assert, assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import {
  CRC32,
  CRC32_TRAILER,
  DECODED,
  encode,
  failureOf,
  frame,
  frameSigned,
  HALVES,
  MD5,
  openBody,
  PLAIN,
  readAll,
  type Sent,
  SHA256_HEX,
  SIGNED,
  SIGNED_TRAILER,
  TEXT,
  UNSIGNED_TRAILER,
} from "./testing/framed_body.ts";

const FORMS: readonly (Sent & { name: string })[] = [
  { name: "a plain body", headers: PLAIN, body: TEXT },
  {
    name: "a plain body with every digest",
    headers: {
      ...PLAIN,
      "x-amz-content-sha256": SHA256_HEX,
      "content-md5": MD5,
      "x-amz-checksum-crc32": CRC32,
      "x-amz-sdk-checksum-algorithm": "CRC32",
      "x-amz-checksum-type": "FULL_OBJECT",
    },
    body: TEXT,
  },
  {
    name: "an unsigned payload",
    headers: { ...PLAIN, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
    body: TEXT,
  },
  {
    name: "unsigned chunks with a trailer",
    headers: { ...UNSIGNED_TRAILER, "x-amz-trailer": "x-amz-checksum-crc32" },
    body: frame(TEXT, 50, `${CRC32_TRAILER}\r\n`),
  },
  {
    name: "unsigned chunks with a trailer ended as minio-go ends it",
    headers: { ...UNSIGNED_TRAILER, "x-amz-trailer": "x-amz-checksum-crc32" },
    body: frame(TEXT, 50, `${CRC32_TRAILER}\n\r\n`),
  },
  {
    name: "unsigned chunks without a trailer",
    headers: UNSIGNED_TRAILER,
    body: frame(TEXT, 1000, ""),
  },
  {
    name: "unsigned chunks that end without the last line",
    headers: UNSIGNED_TRAILER,
    body: frame(TEXT, 1000, "").slice(0, -2),
  },
  {
    name: "unsigned chunks with a digest in a header",
    headers: { ...UNSIGNED_TRAILER, "content-md5": MD5 },
    body: frame(TEXT, 7, ""),
  },
  {
    name: "chunks of a client that signs nothing",
    headers: {
      ...DECODED,
      "content-encoding": "aws-chunked",
      "x-amz-trailer": "x-amz-checksum-crc32",
    },
    body: frame(TEXT, 64, `${CRC32_TRAILER}\r\n`),
  },
  {
    name: "signed chunks",
    signed: true,
    headers: SIGNED,
    body: frameSigned({ chunks: HALVES }),
  },
  {
    name: "signed chunks with a trailer",
    signed: true,
    headers: SIGNED_TRAILER,
    body: frameSigned({ chunks: HALVES, trailer: CRC32_TRAILER }),
  },
  {
    name: "signed chunks with a trailer ended as minio-go ends it",
    signed: true,
    headers: SIGNED_TRAILER,
    body: frameSigned({ chunks: HALVES, trailer: CRC32_TRAILER })
      .replace(`${CRC32_TRAILER}\r\n`, `${CRC32_TRAILER}\n\r\n`),
  },
  {
    name: "signed chunks with an empty line before the trailer",
    signed: true,
    headers: SIGNED_TRAILER,
    body: frameSigned({ chunks: HALVES, trailer: CRC32_TRAILER })
      .replace(CRC32_TRAILER, `\r\n${CRC32_TRAILER}`),
  },
  {
    name: "signed chunks that an open gateway cannot verify",
    headers: SIGNED,
    body: frameSigned({ chunks: HALVES, corrupt: { chunk: 0 } }),
  },
];

for (const { name, ...sent } of FORMS) {
  Deno.test(`openVerifiedBody() decodes ${name}`, async () => {
    const body = openBody(sent);
    assertEquals(body.sizeBytes, TEXT.length);
    assertEquals(await readAll(body), TEXT);
    assertEquals(
      body.trailer?.value(),
      "x-amz-trailer" in sent.headers ? CRC32 : undefined,
    );
  });

  Deno.test(`openVerifiedBody() decodes ${name}, cut anywhere`, async () => {
    const bytes = encode(sent.body);
    for (let cut = 1; cut < bytes.length; cut++) {
      const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
      assertEquals(await readAll(openBody(sent, parts)), TEXT, `cut at ${cut}`);
    }
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    assertEquals(await readAll(openBody(sent, single)), TEXT);
  });

  Deno.test(`openVerifiedBody() decodes ${name}, cut at random`, async () => {
    const random = createRandom(20260101);
    for (let round = 0; round < 50; round++) {
      const parts = cutAtRandom(encode(sent.body), random);
      assertEquals(
        await readAll(openBody(sent, parts)),
        TEXT,
        `round ${round}`,
      );
    }
  });

  Deno.test(`openVerifiedBody() refuses ${name}, ended anywhere before its end`, async () => {
    const bytes = encode(sent.body);
    // Clients may leave out the very last line where nothing depends on it.
    const isOptional = sent.body.endsWith("\n\r\n0\r\n") ||
      !("x-amz-trailer" in sent.headers) && sent.body.endsWith("\r\n\r\n");
    const whole = bytes.length - (isOptional ? 2 : 0);
    for (let end = 0; end < bytes.length; end++) {
      if (end === whole) continue;
      const { kind, receivedBytes } = await failureOf(
        openBody(sent, [bytes.subarray(0, end)]),
      );
      assertEquals(kind, "incomplete_body", `ended at ${end}`);
      assert(receivedBytes < TEXT.length);
    }
  });

  Deno.test(`openVerifiedBody() refuses ${name} with more behind its end`, async () => {
    for (const more of ["x", "\r\n", "0\r\n\r\n", "x".repeat(10_000)]) {
      const ending = "\r\n0\r\n";
      // What completes an ending that a client left out is not more.
      if (more === "\r\n" && sent.body.endsWith(ending)) continue;
      const parts = [encode(sent.body), encode(more)];
      const { kind, receivedBytes } = await failureOf(openBody(sent, parts));
      assertEquals(kind, "incomplete_body", JSON.stringify(more.slice(0, 9)));
      assert(receivedBytes < TEXT.length);
    }
  });
}

/** A small seeded generator (mulberry32), so that failures repeat. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Parts of 0 to 40 bytes. */
function* cutAtRandom(
  bytes: Uint8Array,
  random: () => number,
): Generator<Uint8Array> {
  let position = 0;
  while (position < bytes.length) {
    const end = position + Math.floor(random() * 41);
    yield bytes.subarray(position, end);
    position = end;
  }
}

for (
  const { name, header } of [
    { name: "a chunk beyond the announced length", header: "b\r\n" },
    { name: "an end before the announced length", header: "0\r\n" },
  ]
) {
  Deno.test(`decode() refuses ${name} at its header`, () => {
    const decoder = new ChunkedDecoder({
      sizeBytes: 10,
      signatures: "none",
      chunkSigner: null,
    });
    const error = assertThrows(
      () => decoder.decode(encode(header)),
      GatewayError,
    );
    assertEquals(error.failure.kind, "incomplete_body");
  });
}
