import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createDigest } from "../../auth/digest.ts";
import { GatewayError } from "../failure.ts";
import {
  ADMIN,
  callOf,
  failureOf,
  NO_HEADERS,
  streamOf,
  utf8,
} from "../files/file_fixture.ts";
import type { UploadName, UploadPart } from "./upload.ts";
import {
  FIRST,
  Fixture,
  LAST,
  orderOf,
  RECORD,
  smallUpload,
} from "./upload_fixture.ts";

const A = callOf("tenant-a");
const B = callOf("tenant-b");

const CREATE_HEADERS = { headers: NO_HEADERS, checksum: null };

async function uploadsOf(
  fixture: Fixture,
  page: { prefix?: string; afterKey?: string; afterUploadId?: string } = {},
  call = ADMIN,
): Promise<string[]> {
  const entries = fixture.uploads.list(call, "openai", {
    bucket: "files",
    prefix: "",
    afterKey: "",
    afterUploadId: "",
    ...page,
  });
  return (await Array.fromAsync(entries)).map(({ key }) => key);
}

async function partsOf(
  fixture: Fixture,
  { uploadId }: UploadName,
  after = 0,
): Promise<number[]> {
  const parts = fixture.uploads.listParts(uploadId, after);
  return (await Array.fromAsync(parts)).map(({ partNumber }) => partNumber);
}

// ------------------------------------------------------------------ parts

Deno.test("putPart() gives the part's MD5 as its ETag", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const { etag, sizeBytes } = await fixture.put(name, 1, "abc");
  assertEquals(etag, "900150983cd24fb0d6963f7d28e17f72");
  assertEquals(sizeBytes, 3);
});

Deno.test("putPart() again replaces the part and deletes its bytes", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const old = await fixture.put(name, 1, "old");
  const now = await fixture.put(name, 1, LAST);
  assertEquals(await fixture.stored(), [now.storeKey]);
  assertEquals(await failureOf(fixture.complete(name, [old])), "invalid_part");
  await fixture.complete(name, [now]);
  assertEquals((await fixture.find()).sizeBytes, LAST.length);
});

Deno.test("putPart() of one part by many at once leaves one", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const parts = await Promise.all(
    Array.from({ length: 10 }, (_, i) => fixture.put(name, 1, RECORD + i)),
  );
  const stored = await fixture.stored();
  assertEquals(stored.length, 1);
  const winner = required(
    parts.find(({ storeKey }) => storeKey === stored[0]),
  );
  assertEquals(
    await fixture.index.partBytes(name.uploadId),
    winner.sizeBytes,
  );
  await fixture.complete(name, [winner]);
});

Deno.test("parts are put in parallel and in any order, and survive a restart", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const [last, first] = await Promise.all([
    fixture.put(name, 7, LAST),
    fixture.put(name, 3, FIRST),
  ]);
  const restarted = fixture.start();
  await fixture.complete(name, [first, last], { process: restarted });
  assertEquals(
    (await fixture.find()).sizeBytes,
    FIRST.length + LAST.length,
  );
});

Deno.test("putPart() whose body breaks keeps nothing", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(utf8("ab")),
    pull: (controller) =>
      controller.error(
        new GatewayError({ kind: "bad_digest", algorithm: "CRC32" }, "Wrong."),
      ),
  });
  const put = fixture.uploads.putPart(ADMIN, "openai", name, {
    partNumber: 1,
    body: { stream, sizeBytes: 4 },
    checksums: {},
  });
  assertEquals(await failureOf(put), "bad_digest");
  assertEquals(await fixture.stored(), []);
  assertEquals(await partsOf(fixture, name), []);
});

for (const partNumber of [0, -1, 10_001]) {
  Deno.test(`putPart() refuses the part number ${partNumber}`, async () => {
    await using fixture = await Fixture.open();
    const name = await fixture.create();
    const kind = await failureOf(fixture.put(name, partNumber, "a"));
    assertEquals(kind, "invalid_argument");
  });
}

Deno.test("putPart() refuses what the provider would not take as a whole", async () => {
  await using fixture = await Fixture.open();
  fixture.storage.fileBytesMax = 10;
  const name = await fixture.create();
  assertEquals(
    await failureOf(fixture.put(name, 1, "12345678901")),
    "entity_too_large",
  );
  await fixture.put(name, 1, "123456");
  assertEquals(
    await failureOf(fixture.put(name, 2, "12345")),
    "entity_too_large",
  );
  // In its own place it may be larger.
  await fixture.put(name, 1, "1234567890");
});

Deno.test("putPart() computes the checksum that the upload was created with", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create({
    checksum: { algorithm: "sha256", type: "COMPOSITE" },
  });
  const part = await fixture.put(name, 1, "abc");
  assertEquals(part.checksums, {
    sha256: "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
  });
});

Deno.test("putPart() refuses another algorithm than the upload's", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create({
    checksum: { algorithm: "crc32", type: "COMPOSITE" },
  });
  const put = fixture.uploads.putPart(ADMIN, "openai", name, {
    partNumber: 1,
    body: { stream: streamOf(utf8("abc"), 3), sizeBytes: 3 },
    checksums: { sha1: "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" },
  });
  assertEquals(await failureOf(put), "invalid_request");
});

// ------------------------------------------------------- what is completed

const MISSING = { partNumber: 5, etag: "0".repeat(32), checksums: {} };

for (
  const { what, kind, change } of [
    {
      what: "a part that was never put",
      kind: "invalid_part",
      change: (parts: OrderedParts) => [...parts, MISSING],
    },
    {
      what: "a wrong ETag",
      kind: "invalid_part",
      change: ([part]: OrderedParts) => [{ ...part, ...wrongEtag }],
    },
    {
      what: "a wrong checksum",
      kind: "invalid_part",
      change: ([part]: OrderedParts) => [{
        ...required(part),
        checksums: { crc32: "AAAAAA==" },
      }],
    },
    {
      what: "parts out of order",
      kind: "invalid_part_order",
      change: (parts: OrderedParts) => parts.toReversed(),
    },
    {
      what: "a part twice",
      kind: "invalid_part_order",
      change: ([part]: OrderedParts) => [required(part), required(part)],
    },
    {
      what: "a small part that is not the last",
      kind: "entity_too_small",
      change: (parts: OrderedParts) => parts,
    },
  ]
) {
  Deno.test(`complete() refuses ${what}, and the upload stays open`, async () => {
    await using fixture = await Fixture.open();
    const name = await fixture.create({
      checksum: { algorithm: "crc32", type: "COMPOSITE" },
    });
    const one = await fixture.put(name, 1, LAST);
    const two = await fixture.put(name, 2, LAST);
    const parts = change(orderOf([one, two]).parts) as OrderedParts;
    const complete = fixture.complete(name, [], { parts });
    assertEquals(await failureOf(complete), kind);
    await fixture.complete(name, [two]);
    assertEquals(fixture.storage.files.size, 1);
  });
}

type OrderedParts = ReturnType<typeof orderOf>["parts"];

const wrongEtag = { partNumber: 1, etag: "f".repeat(32), checksums: {} };

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("It is not there.");
  return value;
}

Deno.test("complete() checks x-amz-mp-object-size", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  const wrong = fixture.complete(name, parts, { sizeBytes: 1 });
  assertEquals(await failureOf(wrong), "invalid_request");
  await fixture.complete(name, parts, { sizeBytes: LAST.length });
});

Deno.test("complete() refuses more than the provider takes", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  fixture.storage.fileBytesMax = LAST.length - 1;
  const kind = await failureOf(fixture.complete(name, parts));
  assertEquals(kind, "entity_too_large");
});

function crc32(...contents: Uint8Array[]): string {
  const digest = createDigest("crc32");
  for (const content of contents) digest.update(content);
  return digest.base64();
}

function ofParts(...contents: Uint8Array[]): string {
  const digests = contents.map((content) =>
    Uint8Array.from(atob(crc32(content)), (char) => char.charCodeAt(0))
  );
  return `${crc32(...digests)}-${contents.length}`;
}

for (
  const { type, value } of [
    { type: "COMPOSITE", value: ofParts(FIRST, LAST) },
    { type: "FULL_OBJECT", value: crc32(FIRST, LAST) },
  ] as const
) {
  Deno.test(`complete() gives and verifies the ${type} checksum`, async () => {
    await using fixture = await Fixture.open();
    const name = await fixture.create({
      checksum: { algorithm: "crc32", type },
    });
    const parts = [
      await fixture.put(name, 1, FIRST),
      await fixture.put(name, 2, LAST),
    ];
    const expect = (text: string) => ({
      checksum: { algorithm: "crc32", value: text } as const,
    });
    const wrong = fixture.complete(name, parts, expect("AAAAAA=="));
    assertEquals(await failureOf(wrong), "bad_digest");
    assertEquals(fixture.storage.files.size, 0);
    const { checksums } = await fixture.complete(name, parts, expect(value));
    assertEquals(checksums, { crc32: value });
    assertEquals((await fixture.find()).headers.checksums, { crc32: value });
  });
}

Deno.test("complete() verifies a checksum that the upload did not announce", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  const given = { algorithm: "crc32", value: "AAAAAA==" } as const;
  const wrong = fixture.complete(name, parts, { checksum: given });
  assertEquals(await failureOf(wrong), "bad_digest");
  const checksum = { ...given, value: crc32(LAST) };
  const { checksums } = await fixture.complete(name, parts, { checksum });
  assertEquals(checksums, { crc32: checksum.value });
});

// ------------------------------------------------------- ids and ownership

Deno.test("upload ids sort by their time and cannot be guessed", async () => {
  await using fixture = await Fixture.open();
  const first = await fixture.create();
  fixture.nowMs += 1;
  const second = await fixture.create();
  assertMatch(first.uploadId, /^[0-9a-z]{9}[a-z2-7]{26}$/);
  assert(first.uploadId < second.uploadId);
});

Deno.test("an upload is nobody else's, nor another name's", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create({ call: A });
  const part = await fixture.put(name, 1, LAST, { call: A });
  const strangers: [UploadName, typeof A][] = [
    [name, B],
    [name, ADMIN],
    [{ ...name, key: "in/b.jsonl" }, A],
    [{ ...name, bucket: "other" }, A],
    [{ ...name, uploadId: "x".repeat(35) }, A],
    [{ ...name, uploadId: "" }, A],
    [{ ...name, uploadId: "z".repeat(5000) }, A],
  ];
  for (const [wrong, call] of strangers) {
    const tries = [
      fixture.put(wrong, 1, "x", { call }),
      fixture.complete(wrong, [part], { call }),
      fixture.uploads.abort(call, "openai", wrong),
      fixture.uploads.find(call, "openai", wrong),
    ];
    for (const attempt of tries) {
      assertEquals(await failureOf(attempt), "no_such_upload");
    }
  }
  const elsewhere = fixture.uploads.find(A, "gemini", name);
  assertEquals(await failureOf(elsewhere), "no_such_upload");
  assertEquals(await uploadsOf(fixture, {}, B), []);
  await fixture.complete(name, [part], { call: A });
});

Deno.test("abort() frees everything, once", async () => {
  await using fixture = await Fixture.open();
  const { name } = await smallUpload(fixture);
  await fixture.uploads.abort(ADMIN, "openai", name);
  assertEquals(await fixture.stored(), []);
  assertEquals(await uploadsOf(fixture), []);
  assertEquals(await partsOf(fixture, name), []);
  const again = fixture.uploads.abort(ADMIN, "openai", name);
  assertEquals(await failureOf(again), "no_such_upload");
});

Deno.test("create() refuses more open uploads than a tenant may have", async () => {
  await using fixture = await Fixture.open({ limits: { uploadsMax: 2 } });
  const { name, parts } = await smallUpload(fixture, { call: A });
  const second = await fixture.create({ call: A });
  const error = await assertRejects(
    () => fixture.create({ call: A }),
    GatewayError,
  );
  assertEquals(error.failure.kind, "quota_exceeded");
  assertMatch(error.message, /2 multipart uploads open/);
  await fixture.create({ call: B });
  await fixture.complete(name, parts, { call: A });
  await fixture.create({ call: A });
  await fixture.uploads.abort(A, "openai", second);
  await fixture.create({ call: A });
  assertEquals(await failureOf(fixture.create({ call: A })), "quota_exceeded");
});

Deno.test("create() says what is missing where nothing can be kept", async () => {
  await using fixture = await Fixture.open();
  const { uploads } = fixture.start({ store: null });
  const error = await assertRejects(() =>
    uploads.create(ADMIN, "openai", {
      bucket: "b",
      key: "k",
      ...CREATE_HEADERS,
    }), GatewayError);
  assertMatch(error.message, /FINOPS_OBJECT_STORE/);
});

Deno.test("create() refuses a key that holds a job's results", async () => {
  await using fixture = await Fixture.open();
  fixture.results.add("operators", "files", "out/x.out", "{}");
  const create = fixture.create({ key: "out/x.out" });
  assertEquals(await failureOf(create), "access_denied");
});

// ------------------------------------------------------------------ lists

Deno.test("list() goes by key in S3's order, then by age", async () => {
  await using fixture = await Fixture.open();
  const keys = ["b", "a", "ü", "a/b", "a", "Z", "\u{10000}", "\uffff"];
  for (const key of keys) {
    await fixture.create({ key });
    fixture.nowMs += 1;
  }
  assertEquals(
    await uploadsOf(fixture),
    ["Z", "a", "a", "a/b", "b", "ü", "\uffff", "\u{10000}"],
  );
  assertEquals(await uploadsOf(fixture, { prefix: "a" }), ["a", "a", "a/b"]);
  const after = { afterKey: "a" };
  assertEquals(await uploadsOf(fixture, { ...after, prefix: "a" }), ["a/b"]);
});

Deno.test("list() goes on within the uploads of one key", async () => {
  await using fixture = await Fixture.open();
  const names: UploadName[] = [];
  for (let i = 0; i < 3; i++) {
    names.push(await fixture.create({ key: "a" }));
    fixture.nowMs += 1;
  }
  await fixture.create({ key: "b" });
  const afterUploadId = names[0]?.uploadId ?? "";
  const page = { afterKey: "a", afterUploadId };
  assertEquals(await uploadsOf(fixture, page), ["a", "a", "b"]);
  assertEquals(await uploadsOf(fixture, { ...page, prefix: "b" }), ["b"]);
  const long = { afterKey: "k".repeat(3000), afterUploadId };
  assertEquals(await uploadsOf(fixture, long), []);
});

Deno.test("listParts() goes by number", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const parts: UploadPart[] = [];
  for (const number of [10, 9, 100, 1]) {
    parts.push(await fixture.put(name, number, "x"));
  }
  assertEquals(await partsOf(fixture, name), [1, 9, 10, 100]);
  assertEquals(await partsOf(fixture, name, 9), [10, 100]);
});
