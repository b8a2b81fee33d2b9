import { assertEquals } from "@std/assert";
import type { ByteStream } from "../bytes.ts";
import type { DriverCall, FileDraft, RemoteFile } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import {
  ADMIN,
  draftOf,
  failureOf,
  MemoryStorage,
  streamOf,
  utf8,
} from "../files/file_fixture.ts";
import { markedFileName, markOf } from "./file_mark.ts";
import { newPartKey } from "./part_bytes.ts";
import { planDigestOf } from "./part_selection.ts";
import { newUploadId } from "./upload_id.ts";
import { Fixture, LAST, orderOf, smallUpload } from "./upload_fixture.ts";

const BEDROCK = '{"recordId":"a","modelInput":{}}\n';
const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;
const STRAY_OVER_MS = 3 * 60_000;

/** A provider whose answers get lost, with the file or without it. */
class LossyStorage extends MemoryStorage {
  loses: "answer" | "file" = "answer";

  constructor() {
    super({ inputsDownloadable: true, now: () => new Date() });
  }

  override async putFile(
    call: DriverCall,
    draft: FileDraft,
    body: ByteStream,
  ): Promise<RemoteFile> {
    if (this.loses === "answer") await super.putFile(call, draft, body);
    else await Array.fromAsync(body);
    throw new GatewayError({ kind: "upstream_timeout" }, "The answer is lost.");
  }
}

/** An upload whose completion ended nobody knows how. */
async function abandoned(loses: "answer" | "file", condition = {}) {
  const storage = new LossyStorage();
  storage.loses = loses;
  const fixture = await Fixture.open({ storage });
  const { name, parts } = await smallUpload(fixture);
  const order = { condition: { absent: false, etag: null, ...condition } };
  const kind = await failureOf(fixture.complete(name, parts, order));
  assertEquals(kind, "upstream_timeout");
  return { fixture, storage, name, parts };
}

Deno.test("sweep() completes with the file that an attempt left", async () => {
  const { fixture, storage, name, parts } = await abandoned("answer");
  await using _ = fixture;
  const report = await fixture.uploads.sweep();
  assertEquals(report.completed, 1);
  const [fileId] = storage.files.keys();
  assertEquals((await fixture.find()).etag, fileId);
  assertEquals((await fixture.complete(name, parts)).etag, fileId);
  assertEquals(await fixture.stored(), []);
});

Deno.test("sweep() opens an upload whose file never turns up", async () => {
  const { fixture, name, parts } = await abandoned("file");
  await using _ = fixture;
  await fixture.uploads.sweep();
  const early = await fixture.index.get(name.uploadId);
  assertEquals(early?.value.state.kind, "completing");
  fixture.nowMs += STRAY_OVER_MS;
  await fixture.uploads.sweep();
  const late = await fixture.index.get(name.uploadId);
  assertEquals(late?.value.state.kind, "open");
  assertEquals((await fixture.stored()).length, parts.length);
});

Deno.test("sweep() keeps to the condition of the attempt", async () => {
  const { fixture, storage, name } = await abandoned("answer", {
    absent: true,
  });
  await using _ = fixture;
  const put = await fixture.start({
    storage: new MemoryStorage({
      inputsDownloadable: true,
      now: () => new Date(),
    }),
  }).files.put(ADMIN, "openai", draftOf("in/a.jsonl", BEDROCK));
  await fixture.uploads.sweep();
  assertEquals(storage.files.size, 0);
  assertEquals((await fixture.find()).etag, put.etag);
  const upload = await fixture.index.get(name.uploadId);
  assertEquals(upload?.value.state.kind, "open");
});

Deno.test("sweep() leaves alone what a caller put under a look-alike key", async () => {
  await using fixture = await Fixture.open();
  const storage = fixture.storage;
  const { name, parts } = await smallUpload(fixture);
  const mark = markOf(name.uploadId, planDigestOf(orderOf(parts).parts));
  const key = markedFileName("a.jsonl", mark);
  const record = '{"custom_id":"z","method":"POST","url":"/v1","body":{}}\n';
  await fixture.process.files.put(ADMIN, "openai", draftOf(key, record));
  await fixture.complete(name, parts);
  await fixture.uploads.sweep();
  assertEquals(storage.files.size, 2);
});

Deno.test("sweep() aborts uploads that are too old, and no others", async () => {
  await using fixture = await Fixture.open();
  const old = await smallUpload(fixture, { key: "old" });
  fixture.nowMs += 6 * DAY_MS;
  const young = await smallUpload(fixture, { key: "young" });
  fixture.nowMs += DAY_MS + 1;
  const report = await fixture.uploads.sweep();
  assertEquals(report.abandoned, 1);
  const gone = fixture.complete(old.name, old.parts);
  assertEquals(await failureOf(gone), "no_such_upload");
  assertEquals(
    await fixture.stored(),
    young.parts.map(({ storeKey }) => storeKey),
  );
  assertEquals(await fixture.index.countOpen("operators"), 1);
});

Deno.test("sweep() deletes orphaned bytes after an hour, and nothing else", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  const kept = await fixture.process.files
    .put(ADMIN, "openai", draftOf("kept.jsonl", BEDROCK));
  const orphans = [
    newPartKey(name.uploadId, 1),
    newPartKey(name.uploadId, 2),
    `files/kept_${"a".repeat(26)}`,
  ];
  const others = ["results/abc/output.jsonl", "files/something-else"];
  for (const key of [...orphans, ...others]) {
    await fixture.store.put(key, streamOf(utf8("x"), 1));
  }
  const all = await fixture.stored();
  await fixture.uploads.sweep(new Date(Date.now() + HOUR_MS / 2));
  assertEquals(await fixture.stored(), all);
  const report = await fixture.uploads
    .sweep(new Date(Date.now() + HOUR_MS + 60_000));
  assertEquals(report.deletedObjects, orphans.length);
  assertEquals(
    await fixture.stored(),
    all.filter((key) => !orphans.includes(key)),
  );
  await fixture.complete(name, parts);
  assertEquals((await fixture.find("kept.jsonl")).etag, kept.etag);
});

Deno.test("sweep() deletes the bytes of an upload that is no more at once", async () => {
  await using fixture = await Fixture.open();
  const key = newPartKey(newUploadId(new Date()), 1);
  await fixture.store.put(key, streamOf(LAST, 100));
  await fixture.uploads.sweep();
  assertEquals(await fixture.stored(), []);
});

Deno.test("sweep() goes round a large store in bounded stretches", async () => {
  await using fixture = await Fixture.open();
  let listed = 0;
  const count = 2500;
  const deleted: string[] = [];
  const store = {
    ...await emptyStore(fixture),
    async *list(prefix: string) {
      if (prefix !== "uploads/") return;
      const modifiedAt = new Date(0);
      for (let i = 0; i < count; i++) {
        listed++;
        const id = newUploadId(new Date());
        yield { key: newPartKey(id, 1), sizeBytes: 1, modifiedAt };
      }
    },
    delete: (key: string) => {
      deleted.push(key);
      return Promise.resolve();
    },
  };
  const { uploads } = fixture.start({ store });
  await uploads.sweep();
  assertEquals([listed, deleted.length], [1000, 1000]);
  await uploads.sweep();
  await uploads.sweep();
  assertEquals([listed, deleted.length], [count, count]);
  await uploads.sweep();
  assertEquals(listed, count + 1000);
});

function emptyStore(fixture: Fixture) {
  const { store } = fixture;
  return Promise.resolve({
    kind: store.kind,
    put: store.put.bind(store),
    head: store.head.bind(store),
    open: store.open.bind(store),
    probe: store.probe.bind(store),
    close: store.close.bind(store),
  });
}

Deno.test("sweep() that cannot reach the provider does the rest, and tries again", async () => {
  const { fixture, storage } = await abandoned("answer");
  await using _ = fixture;
  await fixture.store
    .put(newPartKey(newUploadId(new Date()), 1), streamOf(LAST, 100));
  storage.gate = Promise.reject(
    new GatewayError({ kind: "upstream_unavailable" }, "Down."),
  );
  storage.gate.catch(() => {});
  const failed = await fixture.uploads.sweep();
  assertEquals([failed.completed, failed.deletedObjects], [0, 1]);
  storage.gate = Promise.resolve();
  const { completed } = await fixture.uploads.sweep();
  assertEquals(completed, 1);
});
