import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { GatewayError } from "../failure.ts";
import { failureOf, Fixture, utf8 } from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

/** Whether the bytes of a file still rest anywhere. */
function isHeld(fixture: Fixture, fileId: string): boolean {
  return fixture.storage.files.has(fileId) ||
    fixture.store?.objects.has(`files/${fileId}`) === true;
}

for (const [kind, text] of [["sent", OPENAI], ["kept", BEDROCK]] as const) {
  Deno.test(`deleting a key deletes its file (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text);
    await fixture.delete("a");
    assert(!isHeld(fixture, etag));
    assertEquals(await failureOf(fixture.find("a")), "no_such_key");
    const byId = fixture.find("x", { ifMatch: etag });
    assertEquals(await failureOf(byId), "no_such_key");
    assertEquals(await fixture.keys({ bucket: "other" }), []);
    await fixture.delete("a");
  });

  Deno.test(`deleting a key compares If-Match with its ETag (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const other = await fixture.put("b", text);
    const etag = await fixture.put("a", text);
    const mismatch = fixture.delete("a", { ifMatch: other });
    assertEquals(await failureOf(mismatch), "precondition_failed");
    assert(isHeld(fixture, etag) && isHeld(fixture, other));
    await fixture.delete("a", { ifMatch: etag });
    assert(!isHeld(fixture, etag) && isHeld(fixture, other));
    await fixture.delete("b", { ifMatch: "*" });
    assert(!isHeld(fixture, other));
  });

  Deno.test(`deleting a key leaves the file that it named before (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const old = await fixture.put("a", text);
    const etag = await fixture.put("a", text);
    await fixture.delete("a");
    assert(isHeld(fixture, old) && !isHeld(fixture, etag));
    assertEquals(await fixture.keys(), [old]);
  });

  Deno.test(`If-Match deletes a file by its id, with its key elsewhere (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text);
    await fixture.delete("never/put", { bucket: "other", ifMatch: etag });
    assert(!isHeld(fixture, etag));
    assertEquals(await failureOf(fixture.find("a")), "no_such_key");
    assertEquals(await fixture.keys(), []);
    await fixture.delete("never/put", { bucket: "other", ifMatch: etag });
  });

  Deno.test(`a file that is only listed under its id is not deleted by that key (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text);
    for (const key of [etag, `folder/${etag}`]) {
      const error = await assertRejects(
        () => fixture.delete(key, { bucket: "other" }),
        GatewayError,
      );
      assertEquals(error.failure.kind, "access_denied");
      assertMatch(error.message, /If-Match/);
      const star = fixture.delete(key, { bucket: "other", ifMatch: "*" });
      assertEquals(await failureOf(star), "access_denied");
      const wrong = fixture.delete(key, { bucket: "other", ifMatch: "x" });
      assertEquals(await failureOf(wrong), "precondition_failed");
    }
    assert(isHeld(fixture, etag));
    await fixture.delete(etag, { bucket: "other", ifMatch: etag });
    assert(!isHeld(fixture, etag));
  });
}

Deno.test("emptying a bucket key by key leaves the provider's account alone", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  await fixture.put("a", OPENAI);
  const outcomes: [string, string][] = [];
  for (const key of await fixture.keys()) {
    outcomes.push([key, await failureOf(fixture.delete(key))]);
  }
  assertEquals(outcomes, [["a", "none"], [id, "access_denied"]]);
  assertEquals([...fixture.storage.files.keys()], [id]);
});

Deno.test("deleting what is not there is no error", async () => {
  await using fixture = await Fixture.open();
  await fixture.delete("never/put");
  await fixture.delete("file-999999");
  await fixture.delete("never/put", { ifMatch: "file-999999" });
  await fixture.delete("never/put", { ifMatch: "anything" });
});

Deno.test("a key whose file the provider no longer has can still be deleted", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI);
  fixture.storage.files.delete(etag);
  await fixture.delete("a");
  fixture.nowMs += 1000;
  await fixture.delete("a");
  assertEquals(await failureOf(fixture.find("a")), "no_such_key");
});

Deno.test("a failed deletion leaves the key as it was", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", OPENAI);
  const down = new GatewayError({ kind: "upstream_unavailable" }, "Down.");
  fixture.storage.failure = down;
  assertEquals(await failureOf(fixture.delete("a")), "upstream_unavailable");
  fixture.storage.failure = null;
  assertEquals((await fixture.find("a")).etag, etag);
});

Deno.test("a file whose deletion was cut short is deleted by the next attempt", async () => {
  await using fixture = await Fixture.open();
  const etag = await fixture.put("a", BEDROCK);
  fixture.store?.objects.delete(`files/${etag}`);
  await fixture.delete("a");
  assertEquals(await failureOf(fixture.find("a")), "no_such_key");
});

Deno.test("a job's results cannot be deleted", async () => {
  await using fixture = await Fixture.open();
  fixture.results.add("operators", "files", "j/a.out", "{}\n");
  const { etag } = await fixture.find("j/a.out");
  for (const options of [{}, { ifMatch: etag }]) {
    const deletion = fixture.delete("j/a.out", options);
    assertEquals(await failureOf(deletion), "access_denied");
  }
});

Deno.test("a put that races with a delete of the key is not undone", async () => {
  await using fixture = await Fixture.open();
  await fixture.put("a", OPENAI);
  const gate = Promise.withResolvers<void>();
  fixture.storage.gate = gate.promise;
  const deletion = fixture.delete("a");
  const etag = await fixture.put("a", OPENAI);
  gate.resolve();
  await deletion;
  assertEquals((await fixture.find("a")).etag, etag);
});
