import { assert, assertEquals } from "@std/assert";
import type { ObjectInfo } from "../object.ts";
import { ADMIN, Fixture, utf8 } from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

function facts({ key, etag, sizeBytes, modifiedAt }: ObjectInfo) {
  return { key, etag, sizeBytes, modifiedAt };
}

Deno.test("a file is listed under its key in its bucket, under its id in every other", async () => {
  await using fixture = await Fixture.open();
  for (const text of [OPENAI, BEDROCK]) {
    const bucket = text === OPENAI ? "one" : "two";
    const etag = await fixture.put("a", text, { bucket });
    const { modifiedAt } = await fixture.find("a", { bucket });
    const here = await fixture.list({ bucket });
    assertEquals(here.filter(({ etag: it }) => it === etag).map(facts), [
      { key: "a", etag, sizeBytes: text.length, modifiedAt },
    ]);
    const there = await fixture.list({ bucket: "elsewhere", prefix: etag });
    assertEquals(there.map(facts), [
      { key: etag, etag, sizeBytes: text.length, modifiedAt },
    ]);
    assertEquals(there[0]?.bucket, "elsewhere");
  }
});

Deno.test("the provider's other batch files are listed under their ids", async () => {
  await using fixture = await Fixture.open();
  const { storage } = fixture;
  const input = storage.add(utf8("in"));
  const output = storage.add(utf8("out"), { purpose: "output" });
  storage.add(utf8("an assistant's"), { purpose: "other" });
  assertEquals(
    (await fixture.list()).map(facts),
    [input, output].map(({ id, sizeBytes, createdAt }) => ({
      key: id,
      etag: id,
      sizeBytes,
      modifiedAt: createdAt,
    })),
  );
});

Deno.test("Size and LastModified of a named file are the provider's", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI);
  const file = fixture.storage.files.get(etag);
  const createdAt = new Date(fixture.nowMs + 5000);
  if (file !== undefined) {
    file.remote = { ...file.remote, sizeBytes: 4711, createdAt };
  }
  assertEquals((await fixture.list()).map(facts), [
    { key: "a", etag, sizeBytes: 4711, modifiedAt: createdAt },
  ]);
});

Deno.test("overwritten files are listed under their ids", async () => {
  await using fixture = await Fixture.open();
  const old = [await fixture.put("a", OPENAI), await fixture.put("a", BEDROCK)];
  const etag = await fixture.put("a", OPENAI);
  const listed = await fixture.list();
  assertEquals(listed.map(({ key }) => key), ["a", ...old]);
  assertEquals(listed[0]?.etag, etag);
});

Deno.test("results are listed under their keys, in their bucket", async () => {
  await using fixture = await Fixture.open();
  fixture.results.add("operators", "files", "out/j/a.out", "{}\n");
  fixture.results.add("operators", "other", "out/j/b.out", "{}\n");
  await fixture.put("out/a", OPENAI);
  await fixture.put("out/z", OPENAI);
  assertEquals(await fixture.keys(), ["out/a", "out/j/a.out", "out/z"]);
});

Deno.test("a key that is listed for several reasons is listed once, and the user's wins", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  const etag = await fixture.put(id, OPENAI);
  fixture.results.add("operators", "files", id, "result");
  const listed = await fixture.list();
  assertEquals(listed.map(({ key, etag }) => [key, etag]), [[id, etag]]);
});

Deno.test("a file that the provider no longer has is not listed", async () => {
  await using fixture = await Fixture.open();
  const gone = await fixture.put("a", OPENAI);
  await fixture.put("b", OPENAI);
  fixture.storage.files.delete(gone);
  fixture.nowMs += 1000;
  assertEquals(await fixture.keys(), ["b"]);
  assertEquals(await fixture.keys({ bucket: "other", prefix: gone }), []);
  fixture.nowMs += 1_000_000;
  assertEquals(await fixture.keys(), ["b"]);
});

Deno.test("the id of a dead name's key shows again", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  const gone = await fixture.put(id, OPENAI);
  fixture.storage.files.delete(gone);
  fixture.nowMs += 1000;
  const listed = await fixture.list();
  assertEquals(listed.map(({ key, etag }) => [key, etag]), [[id, id]]);
  assertEquals((await fixture.find(id)).etag, id);
});

const KEYS = [
  "a",
  "a/",
  "a/b",
  "a/b/c",
  "a0",
  "b",
  "file-",
  "file-000000",
  "file-~",
  "zz",
  "é",
  "\uffff",
  "\u{1f600}",
  "\u{1f600}/x",
];

Deno.test("prefix and start work over named, listed and result keys alike, in UTF-8 order", async () => {
  await using fixture = await Fixture.open();
  const put = KEYS.filter((_, i) => i % 2 === 0);
  const results = KEYS.filter((_, i) => i % 2 === 1);
  for (const key of put.toReversed()) {
    await fixture.put(key, key.endsWith("/") ? "" : OPENAI);
  }
  for (const key of results) {
    fixture.results.add("operators", "files", key, "{}");
  }
  const native = [1, 2, 3].map(() => fixture.storage.add(utf8("x")).id);
  const all = [...KEYS, ...native].sort(compareUtf8);
  for (const prefix of ["", "a", "a/", "file-", "\u{1f600}", "none"]) {
    for (const after of ["", "a/b", "b\0", "file-00", "\ufffe", ...all]) {
      assertEquals(
        await fixture.keys({ prefix, after }),
        all.filter((key) => key.startsWith(prefix))
          .filter((key) => compareUtf8(key, after) > 0),
        JSON.stringify({ prefix, after }),
      );
    }
  }
});

function compareUtf8(a: string, b: string): number {
  const [left, right] = [a, b].map((text) =>
    [...utf8(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  );
  return left === right ? 0 : (left ?? "") < (right ?? "") ? -1 : 1;
}

Deno.test("many listings cause one upstream list a second", async () => {
  await using fixture = await Fixture.open();
  await Promise.all(Array.from({ length: 20 }, () => fixture.keys()));
  assertEquals(fixture.storage.calls.list, 1);
  fixture.nowMs += 999;
  await fixture.put("a", OPENAI);
  assertEquals(await fixture.keys(), ["a"]);
  assertEquals(fixture.storage.calls.list, 1);
  fixture.nowMs += 1;
  await fixture.keys();
  assertEquals(fixture.storage.calls.list, 2);
});

Deno.test("a file that the provider's list does not show yet is listed all the same", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI);
  fixture.storage.lagging.add(etag);
  fixture.nowMs += 2000;
  assertEquals(await fixture.keys(), ["a"]);
  assertEquals(await fixture.keys({ bucket: "other" }), [etag]);
});

/** A bucket of many files: half of them named in it, a quarter elsewhere. */
async function fill(fixture: Fixture, count: number): Promise<void> {
  const puts: Promise<string>[] = [];
  for (let i = 0; i < count; i++) {
    const key = `data/${String(i).padStart(6, "0")}.jsonl`;
    if (i % 4 === 3) fixture.storage.add(utf8("x"));
    else {
      const bucket = i % 4 === 2 ? "other" : "files";
      puts.push(fixture.put(key, OPENAI, { bucket }));
    }
  }
  await Promise.all(puts);
}

/** Reads the whole bucket page by page, as the front end does. */
async function readPages(
  fixture: Fixture,
  pageSize: number,
): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    let more = false;
    let count = 0;
    const after = keys.at(-1) ?? "";
    const page = { bucket: "files", prefix: "", after };
    for await (const { key } of fixture.service.list(ADMIN, "openai", page)) {
      if (count++ === pageSize) {
        more = true;
        break;
      }
      keys.push(key);
    }
    if (!more) return keys;
  }
}

Deno.test("10,000 files are listed page by page, each once, in order and without delay", async () => {
  await using fixture = await Fixture.open();
  await fill(fixture, 10_000);
  const startedAtMs = performance.now();
  const keys = await readPages(fixture, 100);
  const tookMs = performance.now() - startedAtMs;
  assertEquals(keys.length, 10_000);
  assertEquals(keys, [...new Set(keys)].sort(compareUtf8));
  assertEquals(fixture.storage.calls.list, 1);
  // A hundred pages that each read the whole account would take far longer.
  assert(tookMs < 10_000, `took ${tookMs} ms`);
});

Deno.test("a page reads no more of the index than it shows", async () => {
  const kv = await Deno.openKv(":memory:");
  let entriesRead = 0;
  const counting = new Proxy(kv, {
    get(target, property) {
      if (property !== "list") {
        const value = Reflect.get(target, property);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async function* (...args: Parameters<typeof kv.list>) {
        for await (const entry of target.list(...args)) {
          entriesRead++;
          yield entry;
        }
      };
    },
  });
  await using fixture = await Fixture.open({ kv: counting });
  await fill(fixture, 2000);
  assertEquals((await readPages(fixture, 50)).length, 2000);
  // Each named file has an entry by key and one by id; pages overlap a little.
  assert(entriesRead < 2 * 2000 + 40 * 3 * 20, `${entriesRead} entries`);
  kv.close();
});
