import { assertEquals } from "@std/assert";
import { ADMIN, failureOf, Fixture, utf8 } from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

for (const [kind, text] of [["sent", OPENAI], ["kept", BEDROCK]] as const) {
  Deno.test(`a file is read back byte for byte, whole and in ranges (${kind})`, async () => {
    await using fixture = await Fixture.open();
    await fixture.put("a", text);
    const object = await fixture.find("a");
    assertEquals(await fixture.read(object), text);
    for (const [offsetBytes, lengthBytes] of [[0, 1], [3, 9], [20, 10]]) {
      if (offsetBytes === undefined || lengthBytes === undefined) continue;
      assertEquals(
        await fixture.read(object, { offsetBytes, lengthBytes }),
        text.slice(offsetBytes, offsetBytes + lengthBytes),
      );
    }
  });
}

Deno.test("what the provider does not hand back is an invalid object state", async () => {
  await using fixture = await Fixture.open({ inputsDownloadable: "no" });
  await fixture.put("a", OPENAI);
  const object = await fixture.find("a");
  assertEquals(object.source, {
    kind: "provider_file",
    fileId: object.etag,
    downloadable: false,
  });
  assertEquals(await failureOf(fixture.read(object)), "invalid_object_state");
});

Deno.test("outputs and what the gateway keeps are readable there, too", async () => {
  await using fixture = await Fixture.open({ inputsDownloadable: "no" });
  const { id } = fixture.storage.add(utf8("out"), { purpose: "output" });
  assertEquals(await fixture.read(await fixture.find(id)), "out");
  await fixture.put("b", BEDROCK);
  assertEquals(await fixture.read(await fixture.find("b")), BEDROCK);
});

for (const [kind, text] of [["sent", OPENAI], ["kept", BEDROCK]] as const) {
  Deno.test(`a file that vanishes before it is opened is no such key (${kind})`, async () => {
    await using fixture = await Fixture.open();
    await fixture.put("a", text);
    const object = await fixture.find("a");
    fixture.storage.files.clear();
    fixture.store?.objects.clear();
    const open = fixture.service.open(ADMIN, "openai", object, null);
    assertEquals(await failureOf(open), "no_such_key");
  });
}
