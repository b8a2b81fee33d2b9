import { assertEquals } from "@std/assert";
import { ADMIN, failureOf, Fixture, textOf, utf8 } from "./file_fixture.ts";

const OPENAI = '{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}\n';
const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

for (
  const { name, text, heldBy, format } of [
    {
      name: "the provider's own records",
      text: OPENAI,
      heldBy: "provider",
      format: "openai",
    },
    {
      name: "another format's records",
      text: BEDROCK,
      heldBy: "gateway",
      format: "bedrock",
    },
    {
      name: "content of no known format",
      text: "hello",
      heldBy: "provider",
      format: null,
    },
  ] as const
) {
  Deno.test(`an input is found by key and by id, and read: ${name}`, async () => {
    await using fixture = await Fixture.open();
    const { service } = fixture;
    const fileId = await fixture.put("in/a.jsonl", text);
    const address = { bucket: "files", key: "in/a.jsonl" };
    const input = await service.findInput(ADMIN, "openai", address);
    assertEquals(input, {
      fileId,
      sizeBytes: text.length,
      heldBy,
      format,
      fileName: "a.jsonl",
    });
    assertEquals(await service.findFile(ADMIN, "openai", fileId), input);
    if (input === null) return;
    const content = await service.openInput(ADMIN, "openai", input);
    assertEquals(await textOf(content), text);
    await service.waitUntilReady(ADMIN, "openai", fileId, 0);
  });
}

Deno.test("findInput() takes a key only for what was put under it", async () => {
  await using fixture = await Fixture.open();
  const { id } = fixture.storage.add(utf8("native"));
  const { service } = fixture;
  const address = { bucket: "files", key: id };
  assertEquals(await service.findInput(ADMIN, "openai", address), null);
  assertEquals(await service.findFile(ADMIN, "openai", id), {
    fileId: id,
    sizeBytes: 6,
    heldBy: "provider",
    format: null,
    fileName: "native.jsonl",
  });
});

Deno.test("an input that the provider no longer has is not found", async () => {
  await using fixture = await Fixture.open();
  const { service } = fixture;
  const fileId = await fixture.put("a", OPENAI);
  fixture.storage.files.delete(fileId);
  fixture.nowMs += 1000;
  const address = { bucket: "files", key: "a" };
  assertEquals(await service.findInput(ADMIN, "openai", address), null);
  assertEquals(await service.findFile(ADMIN, "openai", fileId), null);
  assertEquals(await service.findFile(ADMIN, "openai", "no id"), null);
});

/** Moves the provider's file into a state. */
function setState(
  fixture: Fixture,
  fileId: string,
  state: "ready" | "failed",
): void {
  const file = fixture.storage.files.get(fileId);
  if (file !== undefined) file.remote = { ...file.remote, state };
}

for (
  const { state, want } of [
    { state: "ready", want: "none" },
    { state: "failed", want: "invalid_request" },
  ] as const
) {
  Deno.test(`waitUntilReady() waits for a file being processed until it is ${state}`, async () => {
    await using fixture = await Fixture.open();
    fixture.storage.newFileState = "processing";
    const fileId = await fixture.put("a", OPENAI);
    const getFile = fixture.storage.getFile.bind(fixture.storage);
    fixture.storage.getFile = async (call, id) => {
      if (fixture.storage.calls.get === 3) setState(fixture, fileId, state);
      return await getFile(call, id);
    };
    const wait = fixture.service
      .waitUntilReady(ADMIN, "openai", fileId, 60_000);
    assertEquals(await failureOf(wait), want);
    assertEquals(fixture.pauses, [1000, 1000, 1000, 1000]);
  });
}

Deno.test("waitUntilReady() gives up after its time", async () => {
  await using fixture = await Fixture.open();
  fixture.storage.newFileState = "processing";
  const fileId = await fixture.put("a", OPENAI);
  const wait = fixture.service.waitUntilReady(ADMIN, "openai", fileId, 2500);
  assertEquals(await failureOf(wait), "upstream_timeout");
  assertEquals(fixture.pauses, [1000, 1000, 500]);
});

Deno.test("waitUntilReady() refuses a file that is gone", async () => {
  await using fixture = await Fixture.open();
  const wait = fixture.service
    .waitUntilReady(ADMIN, "openai", "file-999999", 1000);
  assertEquals(await failureOf(wait), "invalid_request");
});
