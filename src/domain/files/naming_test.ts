import { assertEquals } from "@std/assert";
import { callOf, failureOf, Fixture, utf8 } from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

for (const [kind, text] of [["sent", OPENAI], ["kept", BEDROCK]] as const) {
  Deno.test(`what the caller put under a key is the object, whatever If-Match says (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const other = await fixture.put("b", text);
    const etag = await fixture.put("a", text);
    assertEquals((await fixture.find("a")).etag, etag);
    // The front end compares: it gets the key's own ETag to do so.
    assertEquals((await fixture.find("a", { ifMatch: other })).etag, etag);
  });

  Deno.test(`If-Match names a file whatever bucket and key say (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text);
    const found = await fixture.find("never/put", {
      bucket: "elsewhere",
      ifMatch: etag,
    });
    assertEquals(
      [found.bucket, found.key, found.etag, found.sizeBytes],
      ["elsewhere", "never/put", etag, text.length],
    );
  });

  Deno.test(`a key whose last segment is a file id names the file (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text);
    for (const key of [etag, `some/folder/${etag}`]) {
      const found = await fixture.find(key, { bucket: "elsewhere" });
      assertEquals([found.key, found.etag], [key, etag]);
    }
    for (const key of [`${etag}/`, `x${etag}`, `${etag}.jsonl`]) {
      const find = fixture.find(key, { bucket: "elsewhere" });
      assertEquals(await failureOf(find), "no_such_key");
    }
  });

  Deno.test(`overwriting points the key at the new file; the old one stays under its id (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const old = await fixture.put("a", text);
    const etag = await fixture.put("a", text);
    assertEquals((await fixture.find("a")).etag, etag);
    assertEquals((await fixture.find("x", { ifMatch: old })).etag, old);
    assertEquals(await fixture.keys(), ["a", old]);
  });
}

Deno.test("If-Match goes before the key's last segment", async () => {
  await using fixture = await Fixture.open();
  const one = fixture.storage.add(utf8("1"));
  const two = fixture.storage.add(utf8("2"));
  const found = await fixture.find(one.id, { ifMatch: two.id });
  assertEquals(found.etag, two.id);
});

Deno.test("an If-Match that names no file leaves the key its say", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("1"));
  for (const ifMatch of ["*", "file-999999", "anything", "x".repeat(9000)]) {
    assertEquals((await fixture.find(id, { ifMatch })).etag, id);
    const find = fixture.find("never/put", { ifMatch });
    assertEquals(await failureOf(find), "no_such_key");
  }
});

Deno.test("files put with the provider's own tools are named by id", async () => {
  await using fixture = await Fixture.open();
  const remote = fixture.storage.add(utf8("native"), { purpose: "output" });
  const found = await fixture.find(remote.id);
  assertEquals(found.sizeBytes, remote.sizeBytes);
  assertEquals(found.modifiedAt, remote.createdAt);
  assertEquals(found.headers.contentType, null);
});

Deno.test("an id in the provider's own longer form names the same file", async () => {
  await using fixture = await Fixture.open();
  const call = callOf("alpha");
  const etag = await fixture.put("a", OPENAI, { call });
  const ifMatch = `files/${etag}`;
  assertEquals((await fixture.find("x", { call, ifMatch })).etag, etag);
  await fixture.delete("x", { call, ifMatch });
  assertEquals(await failureOf(fixture.find("a", { call })), "no_such_key");
});

Deno.test("Head of a file gives the provider's size and time", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI);
  const file = fixture.storage.files.get(etag);
  const createdAt = new Date(fixture.nowMs + 5000);
  if (file !== undefined) file.remote = { ...file.remote, createdAt };
  fixture.nowMs += 1000;
  assertEquals((await fixture.find("a")).modifiedAt, createdAt);
});

Deno.test("a key whose file the provider no longer has is not there", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI);
  fixture.storage.files.delete(etag);
  fixture.nowMs += 1000;
  assertEquals(await failureOf(fixture.find("a")), "no_such_key");
  const byId = fixture.find("x", { ifMatch: etag });
  assertEquals(await failureOf(byId), "no_such_key");
});

Deno.test("a key whose file is gone leaves If-Match its say", async () => {
  await using fixture = await Fixture.open();
  const gone = await fixture.put("a", OPENAI);
  const other = await fixture.put("b", OPENAI);
  fixture.storage.files.delete(gone);
  fixture.nowMs += 1000;
  assertEquals((await fixture.find("a", { ifMatch: other })).etag, other);
});

Deno.test("a job's result is found under its key", async () => {
  await using fixture = await Fixture.open();
  fixture.results.add("operators", "out", "j/a.out", "result\n");
  const found = await fixture.find("j/a.out", { bucket: "out" });
  assertEquals(found.source, { kind: "job_result", jobId: "abcdefghijkl" });
  const { etag } = found;
  const again = await fixture.find("j/a.out", { bucket: "out", ifMatch: etag });
  assertEquals(again.source.kind, "job_result");
  assertEquals(await fixture.read(found), "result\n");
});

Deno.test("a user's key that equals a file id names what the user put", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  const etag = await fixture.put(id, OPENAI);
  assertEquals((await fixture.find(id)).etag, etag);
  assertEquals((await fixture.find(id, { bucket: "other" })).etag, id);
});

Deno.test("many Heads of a file cause one upstream read a second", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  await Promise.all(Array.from({ length: 50 }, () => fixture.find(id)));
  assertEquals(fixture.storage.calls.get, 1);
  fixture.nowMs += 999;
  await fixture.find(id);
  assertEquals(fixture.storage.calls.get, 1);
  fixture.nowMs += 1;
  await fixture.find(id);
  assertEquals(fixture.storage.calls.get, 2);
});

Deno.test("a file just put is answered from what the put returned, for a second", async () => {
  await using fixture = await Fixture.open();
  await fixture.put("a", OPENAI);
  await fixture.find("a");
  assertEquals(fixture.storage.calls.get, 0);
  fixture.nowMs += 1000;
  await fixture.find("a");
  assertEquals(fixture.storage.calls.get, 1);
});
