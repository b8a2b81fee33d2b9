import { assertEquals } from "@std/assert";
import {
  callOf,
  failureOf,
  Fixture,
  type MemoryStorage,
  utf8,
} from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

const ALPHA = callOf("alpha");
const BETA = callOf("beta");

for (const [kind, text] of [["sent", OPENAI], ["kept", BEDROCK]] as const) {
  Deno.test(`a tenant neither finds nor lists another's file (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text, { call: ALPHA });
    const names = [
      { key: "a" },
      { key: etag },
      { key: "x", ifMatch: etag },
    ];
    for (const { key, ...rest } of names) {
      const find = fixture.find(key, { call: BETA, ...rest });
      assertEquals(await failureOf(find), "no_such_key");
    }
    for (const bucket of ["files", "other"]) {
      assertEquals(await fixture.keys({ call: BETA, bucket }), []);
    }
    assertEquals(await fixture.keys({ call: ALPHA }), ["a"]);
    assertEquals(await fixture.keys({ call: ALPHA, bucket: "other" }), [etag]);
  });

  Deno.test(`a tenant cannot delete another's file, nor learn of it (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text, { call: ALPHA });
    await fixture.delete("a", { call: BETA });
    await fixture.delete(etag, { call: BETA });
    await fixture.delete("x", { call: BETA, ifMatch: etag });
    assertEquals((await fixture.find("a", { call: ALPHA })).etag, etag);
  });

  Deno.test(`a tenant cannot use another's file as a job's input (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text, { call: ALPHA });
    const { service } = fixture;
    const address = { bucket: "files", key: "a" };
    assertEquals(await service.findInput(BETA, "openai", address), null);
    assertEquals(await service.findFile(BETA, "openai", etag), null);
    const own = await service.findFile(ALPHA, "openai", etag);
    assertEquals(own?.fileId, etag);
  });

  Deno.test(`two tenants' equal keys name two files (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const alphas = await fixture.put("a", text, { call: ALPHA });
    const betas = await fixture.put("a", text, {
      call: BETA,
      condition: { absent: true, etag: null },
    });
    assertEquals((await fixture.find("a", { call: ALPHA })).etag, alphas);
    assertEquals((await fixture.find("a", { call: BETA })).etag, betas);
    await fixture.delete("a", { call: BETA });
    assertEquals((await fixture.find("a", { call: ALPHA })).etag, alphas);
  });

  Deno.test(`an admin sees every tenant's file under its id, and may delete it (${kind})`, async () => {
    await using fixture = await Fixture.open();
    const etag = await fixture.put("a", text, { call: ALPHA });
    assertEquals(await failureOf(fixture.find("a")), "no_such_key");
    assertEquals((await fixture.find(etag)).etag, etag);
    assertEquals(await fixture.keys(), [etag]);
    await fixture.delete("x", { ifMatch: etag });
    const find = fixture.find("a", { call: ALPHA });
    assertEquals(await failureOf(find), "no_such_key");
    assertEquals(await fixture.keys({ call: ALPHA }), []);
  });
}

Deno.test("only an admin sees files that nobody put through the gateway", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  assertEquals((await fixture.find(id)).etag, id);
  const find = fixture.find(id, { call: ALPHA });
  assertEquals(await failureOf(find), "no_such_key");
  await fixture.delete("x", { call: ALPHA, ifMatch: id });
  assertEquals(await fixture.keys({ call: ALPHA }), []);
  assertEquals(await fixture.keys(), [id]);
});

Deno.test("a file that nobody may see costs no upstream read", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  await failureOf(fixture.find(id, { call: ALPHA }));
  assertEquals(fixture.storage.calls.get, 0);
});

/** The output files of a tenant's jobs. */
function addOutputs(storage: MemoryStorage): string[] {
  return ["1", "2"].map((text) =>
    storage.add(utf8(text), { purpose: "output" }).id
  );
}

Deno.test("a tenant sees what its own jobs produced, and nobody else's", async () => {
  const owned: string[] = [];
  await using fixture = await Fixture.open({
    ownsFile: ({ principal }, provider, fileId) =>
      Promise.resolve(
        principal.tenant === "alpha" && provider === "openai" &&
          owned.includes(fileId),
      ),
  });
  const [mine = "", foreign = ""] = addOutputs(fixture.storage);
  owned.push(mine);
  assertEquals(await fixture.keys({ call: ALPHA }), [mine]);
  assertEquals(await fixture.keys({ call: BETA }), []);
  const found = await fixture.find("x", { call: ALPHA, ifMatch: mine });
  assertEquals(found.etag, mine);
  for (
    const { key, call } of [
      { key: foreign, call: ALPHA },
      { key: mine, call: BETA },
    ]
  ) {
    const find = fixture.find(key, { call });
    assertEquals(await failureOf(find), "no_such_key");
  }
  await fixture.delete("x", { call: ALPHA, ifMatch: mine });
  assertEquals([...fixture.storage.files.keys()], [foreign]);
});
