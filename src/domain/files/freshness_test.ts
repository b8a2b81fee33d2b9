import { assertEquals } from "@std/assert";
import { callOf, failureOf, Fixture, utf8 } from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

/** Two replicas of the gateway: one KV, one account, one object store. */
async function openReplicas(): Promise<{ here: Fixture; there: Fixture }> {
  const kv = await Deno.openKv(":memory:");
  const here = await Fixture.open({ kv });
  const { storage, store } = here;
  return { here, there: await Fixture.open({ kv, storage, store }) };
}

function testReplicas(
  name: string,
  body: (here: Fixture, there: Fixture) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const { here, there } = await openReplicas();
    try {
      await body(here, there);
    } finally {
      here.kv.close();
    }
  });
}

for (const [kind, text] of [["sent", OPENAI], ["kept", BEDROCK]] as const) {
  testReplicas(
    `a put through one replica is seen at once through another (${kind})`,
    async (here, there) => {
      // The other replica's answer from the provider is fresh, but older.
      assertEquals(await there.keys(), []);
      const etag = await here.put("a", text);
      assertEquals((await there.find("a")).etag, etag);
      assertEquals(await there.keys(), ["a"]);
      assertEquals(await there.keys({ bucket: "other" }), [etag]);
      const other = callOf("operators-2", "admin");
      assertEquals(await there.keys({ call: other }), [etag]);
      assertEquals(there.storage.calls.list, 1);
    },
  );

  testReplicas(
    `an overwrite through one replica is seen at once through another (${kind})`,
    async (here, there) => {
      const old = await here.put("a", text);
      assertEquals(await there.keys(), ["a"]);
      const etag = await here.put("a", text);
      assertEquals((await there.find("a")).etag, etag);
      const listed = await there.list();
      assertEquals(
        listed.map(({ key, etag }) => [key, etag]),
        [["a", etag], [old, old]],
      );
    },
  );

  testReplicas(
    `a delete through one replica is seen at once through another (${kind})`,
    async (here, there) => {
      const etag = await here.put("a", text);
      assertEquals(await there.keys(), ["a"]);
      assertEquals((await there.find("x", { ifMatch: etag })).etag, etag);
      await here.delete("a");
      assertEquals(await failureOf(there.find("a")), "no_such_key");
      const byId = there.find("x", { ifMatch: etag });
      assertEquals(await failureOf(byId), "no_such_key");
      assertEquals(await there.keys(), []);
      assertEquals(await there.keys({ bucket: "other" }), []);
    },
  );
}

testReplicas(
  "a native file deleted through one replica is gone at once through another",
  async (here, there) => {
    const { id } = here.storage.add(utf8("native"));
    assertEquals(await there.keys(), [id]);
    assertEquals((await there.find(id)).etag, id);
    await here.delete("x", { ifMatch: id });
    assertEquals(await there.keys(), []);
    assertEquals(await failureOf(there.find(id)), "no_such_key");
  },
);

testReplicas(
  "a file deleted while the provider's list is being read is not listed",
  async (here, there) => {
    const { id } = here.storage.add(utf8("native"));
    const gate = Promise.withResolvers<void>();
    here.storage.gate = gate.promise;
    const reading = there.keys();
    while (here.storage.calls.list === 0) await there.kv.get(["any"]);
    here.storage.gate = Promise.resolve();
    await here.delete("x", { ifMatch: id });
    gate.resolve();
    await reading;
    assertEquals(await there.keys(), []);
    assertEquals(there.storage.calls.list, 1);
  },
);

testReplicas(
  "a file made under the id of a deleted one is another file",
  async (here, there) => {
    const { id } = here.storage.add(utf8("native"));
    await here.delete("x", { ifMatch: id });
    here.nowMs += 2000;
    there.nowMs += 2000;
    here.storage.add(utf8("again"), { id });
    assertEquals(await there.keys(), [id]);
    assertEquals((await there.find(id)).sizeBytes, 5);
  },
);

testReplicas(
  "what was done with the provider's own tools is seen a second later",
  async (here) => {
    const gone = await here.put("a", OPENAI);
    const native = here.storage.add(utf8("1")).id;
    assertEquals(await here.keys(), ["a", native]);
    here.storage.files.delete(gone);
    const added = here.storage.add(utf8("2")).id;
    here.nowMs += 1000;
    assertEquals(await here.keys(), [native, added]);
    assertEquals(await failureOf(here.find("a")), "no_such_key");
  },
);

Deno.test("a restart forgets no key and no file id", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/kv.sqlite`;
    const first = await Fixture.open({ kv: await Deno.openKv(path) });
    const etags = [
      await first.put("a", OPENAI),
      await first.put("b", BEDROCK),
    ];
    first.kv.close();
    const { storage, store } = first;
    const kv = await Deno.openKv(path);
    const second = await Fixture.open({ kv, storage, store });
    for (const [i, key] of ["a", "b"].entries()) {
      const etag = etags[i] ?? "";
      assertEquals((await second.find(key)).etag, etag);
      assertEquals((await second.find("x", { ifMatch: etag })).etag, etag);
    }
    assertEquals(await second.keys(), ["a", "b"]);
    second.kv.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
