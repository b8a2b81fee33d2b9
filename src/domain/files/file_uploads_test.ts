import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { GatewayError } from "../failure.ts";
import {
  ADMIN,
  callOf,
  draftOf,
  failureOf,
  Fixture,
  NO_HEADERS,
  streamOf,
  utf8,
} from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';
const GEMINI = '{"key":"a","request":{}}\n';
const ANTHROPIC = '{"custom_id":"a","params":{}}\n';

const KEPT_ID = /^kept_[a-z2-7]{26}$/;

Deno.test("put() returns the provider's file id as the ETag", async () => {
  await using fixture = await Fixture.open();
  const info = await fixture.service
    .put(ADMIN, "openai", draftOf("in/a.jsonl", OPENAI));
  const [file] = [...fixture.storage.files.values()];
  assertEquals(info.etag, file?.remote.id);
  assertEquals(info.source, {
    kind: "provider_file",
    fileId: info.etag,
    downloadable: true,
  });
  assertEquals([info.bucket, info.key], ["files", "in/a.jsonl"]);
  assertEquals(info.sizeBytes, OPENAI.length);
});

Deno.test("put() names the provider's file after the key's last segment", async () => {
  await using fixture = await Fixture.open();
  await fixture.put("in/of day/a b.jsonl", OPENAI);
  assertEquals(fixture.storage.drafts, [{
    fileName: "a_b.jsonl",
    sizeBytes: OPENAI.length,
    contentType: "application/jsonl",
  }]);
});

for (
  const { name, key, text, kept } of [
    { name: "the provider's own records", key: "a", text: OPENAI, kept: false },
    { name: "Bedrock's records", key: "a", text: BEDROCK, kept: true },
    { name: "Gemini's records", key: "a", text: GEMINI, kept: true },
    { name: "Anthropic's records", key: "a", text: ANTHROPIC, kept: true },
    { name: "an empty object", key: "a.jsonl", text: "", kept: true },
    { name: "an empty folder marker", key: "a/b/", text: "", kept: true },
    {
      name: "a folder marker with content",
      key: "a/",
      text: OPENAI,
      kept: true,
    },
    { name: "text that is no record", key: "a", text: "hello", kept: false },
    { name: "blank lines", key: "a", text: "\n\n", kept: false },
    { name: "JSON of no known format", key: "a", text: '{"b":1}', kept: false },
  ]
) {
  Deno.test(`put() ${kept ? "keeps" : "sends the provider"} ${name}`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put(key, text);
    assertEquals(KEPT_ID.test(etag), kept);
    assertEquals(fixture.storage.calls.put, kept ? 0 : 1);
    assertEquals(
      [...fixture.store?.objects.keys() ?? []],
      kept ? [`files/${etag}`] : [],
    );
    const found = await fixture.find(key);
    assertEquals([found.etag, found.sizeBytes], [etag, text.length]);
    assertEquals(found.source.kind, kept ? "kept_file" : "provider_file");
    assertEquals(await fixture.read(found), text);
  });
}

Deno.test("put() mints no id twice for what is kept", async () => {
  await using fixture = await Fixture.open();
  const ids = new Set<string>();
  for (let i = 0; i < 50; i++) ids.add(await fixture.put(`f${i}/`, ""));
  assertEquals(ids.size, 50);
});

for (
  const { name, key, text } of [
    { name: "another format's records", key: "a", text: BEDROCK },
    { name: "an empty object", key: "a", text: "" },
    { name: "a folder marker", key: "a/", text: OPENAI },
  ]
) {
  Deno.test(`without an object store, put() refuses ${name} and says what to set`, async () => {
    await using fixture = await Fixture.open({ store: null });
    const draft = draftOf(key, text);
    const error = await assertRejects(
      () => fixture.service.put(ADMIN, "openai", draft),
      GatewayError,
    );
    assertEquals(error.failure.kind, "invalid_request");
    assertMatch(error.message, /FINOPS_OBJECT_STORE/);
    assertEquals(fixture.storage.files.size, 0);
    assertEquals(await failureOf(fixture.find(key)), "no_such_key");
  });
}

Deno.test("without an object store, put() still sends the provider its own records", async () => {
  await using fixture = await Fixture.open({ store: null });
  const etag = await fixture.put("a.jsonl", OPENAI);
  assertEquals((await fixture.find("a.jsonl")).etag, etag);
});

Deno.test("put() refuses a body over the provider's limit before reading it", async () => {
  await using fixture = await Fixture.open();
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulls++;
      controller.error(new Error("must not be read"));
    },
  }, { highWaterMark: 0 });
  const sizeBytes = fixture.storage.fileBytesMax + 1;
  const put = fixture.service.put(ADMIN, "openai", {
    ...draftOf("a", ""),
    body: { stream, sizeBytes },
  });
  assertEquals(await failureOf(put), "entity_too_large");
  assertEquals(pulls, 0);
});

Deno.test("put() takes S3's longest key and refuses a longer one", async () => {
  await using fixture = await Fixture.open();
  const longest = "\u{1f600}".repeat(256);
  const etag = await fixture.put(longest, OPENAI);
  assertEquals((await fixture.find(longest)).etag, etag);
  const longer = fixture.put(`${longest}x`, OPENAI);
  assertEquals(await failureOf(longer), "key_too_long");
});

Deno.test("put() refuses headers that no KV value could hold", async () => {
  await using fixture = await Fixture.open();
  const headers = { ...NO_HEADERS, contentType: "x".repeat(20_000) };
  const put = fixture.put("a", OPENAI, { headers });
  assertEquals(await failureOf(put), "metadata_too_large");
  assertEquals(fixture.storage.files.size, 0);
});

for (
  const { name, text } of [
    { name: "on its way to the provider", text: OPENAI },
    { name: "on its way to the object store", text: BEDROCK },
    { name: "before its format is known", text: '{"custom_id":' },
  ]
) {
  Deno.test(`a body that fails ${name} leaves nothing`, async () => {
    await using fixture = await Fixture.open();
    const digest = { kind: "bad_digest", algorithm: "md5" } as const;
    const error = new GatewayError(digest, "The body is not what was signed.");
    const stream = streamOf(utf8(text), 8).pipeThrough(
      new TransformStream({ flush: (controller) => controller.error(error) }),
    );
    const body = { stream, sizeBytes: text.length };
    assertEquals(
      await failureOf(fixture.put("a", "", { body })),
      "bad_digest",
    );
    assertEquals(fixture.storage.files.size, 0);
    assertEquals(fixture.store?.objects.size, 0);
    assertEquals(await fixture.keys(), []);
    assertEquals(await failureOf(fixture.find("a")), "no_such_key");
  });
}

Deno.test("a refused body is cancelled, so that its sender learns of it", async () => {
  await using fixture = await Fixture.open({ store: null });
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(utf8(BEDROCK)),
    cancel: () => {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  const body = { stream, sizeBytes: 100_000 };
  await failureOf(fixture.put("a", "", { body }));
  assert(cancelled);
});

Deno.test("headers and metadata given at put() come back, by key and by id", async () => {
  await using fixture = await Fixture.open();
  const headers = {
    ...NO_HEADERS,
    contentType: "application/jsonl; charset=utf-8",
    contentDisposition: "attachment",
    metadata: { project: "alpha" },
    checksums: { crc32: "AAAAAA==" },
  };
  for (const text of [OPENAI, BEDROCK]) {
    const etag = await fixture.put("a", text, { headers });
    assertEquals((await fixture.find("a")).headers, headers);
    const byId = await fixture.find("x", { bucket: "other", ifMatch: etag });
    assertEquals(byId.headers, headers);
  }
});

Deno.test("a checksum that came in a trailer is kept like one from a header", async () => {
  await using fixture = await Fixture.open();
  const draft = draftOf("a", OPENAI);
  let closed = false;
  const stream = draft.body.stream.pipeThrough(
    new TransformStream({
      flush: () => {
        closed = true;
      },
    }),
  );
  const trailer = {
    name: "x-amz-checksum-crc32",
    value: () => closed ? "AAAAAA==" : "asked too early",
  };
  const body = { ...draft.body, stream, trailer };
  await fixture.service.put(ADMIN, "openai", { ...draft, body });
  assertEquals((await fixture.find("a")).headers.checksums, {
    crc32: "AAAAAA==",
  });
});

const ABSENT = { absent: true, etag: null };

Deno.test("If-None-Match: * puts where nothing is, and only there", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI, { condition: ABSENT });
  const again = fixture.put("a", OPENAI, { condition: ABSENT });
  assertEquals(await failureOf(again), "precondition_failed");
  assertEquals((await fixture.find("a")).etag, etag);
  assertEquals(fixture.storage.files.size, 1);
});

Deno.test("If-None-Match: * sees files that are only listed", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("x"));
  const put = fixture.put(id, OPENAI, { condition: ABSENT });
  assertEquals(await failureOf(put), "precondition_failed");
});

Deno.test("If-None-Match: * puts over a key whose file the provider no longer has", async () => {
  await using fixture = await Fixture.open();
  const gone = await fixture.put("a", OPENAI);
  fixture.storage.files.delete(gone);
  fixture.nowMs += 1000;
  const etag = await fixture.put("a", OPENAI, { condition: ABSENT });
  assertEquals((await fixture.find("a")).etag, etag);
});

Deno.test("If-Match puts over that ETag only", async () => {
  await using fixture = await Fixture.open();
  const first = await fixture.put("a", OPENAI);
  const condition = { absent: false, etag: first };
  const second = await fixture.put("a", OPENAI, { condition });
  assertEquals(
    await failureOf(fixture.put("a", OPENAI, { condition })),
    "precondition_failed",
  );
  assertEquals((await fixture.find("a")).etag, second);
  assertEquals(
    await failureOf(fixture.put("b", OPENAI, { condition })),
    "no_such_key",
  );
});

Deno.test("of racing conditional puts, one wins and the others leave nothing", async () => {
  await using fixture = await Fixture.open();
  const puts = await Promise.all(
    Array.from(
      { length: 10 },
      () => failureOf(fixture.put("a", OPENAI, { condition: ABSENT })),
    ),
  );
  assertEquals(puts.filter((kind) => kind === "none").length, 1);
  assertEquals(puts.filter((it) => it === "precondition_failed").length, 9);
  assertEquals(fixture.storage.files.size, 1);
  assertEquals(await fixture.keys(), ["a"]);
});

Deno.test("racing plain puts all succeed; the key names one, the rest their ids", async () => {
  await using fixture = await Fixture.open();
  const etags = await Promise.all(
    Array.from({ length: 10 }, () => fixture.put("a", OPENAI)),
  );
  const named = (await fixture.find("a")).etag;
  const others = etags.filter((etag) => etag !== named).sort();
  assertEquals(others.length, 9);
  assertEquals(await fixture.keys(), ["a", ...others]);
});

Deno.test("a job's results cannot be overwritten", async () => {
  await using fixture = await Fixture.open();
  fixture.results.add("operators", "files", "out/j/a.jsonl.out", "{}\n");
  const put = fixture.put("out/j/a.jsonl.out", OPENAI);
  assertEquals(await failureOf(put), "access_denied");
  // Another tenant does not even learn that they are there.
  const call = callOf("alpha");
  await fixture.put("out/j/a.jsonl.out", OPENAI, { call });
});
