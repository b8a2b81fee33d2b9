import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ByteStream } from "../bytes.ts";
import type { DriverCall, FileDraft, RemoteFile } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import {
  ADMIN,
  failureOf,
  MemoryStorage,
  NO_HEADERS,
  utf8,
} from "../files/file_fixture.ts";
import {
  FIRST,
  Fixture,
  LAST,
  orderOf,
  RECORD,
  smallUpload,
} from "./upload_fixture.ts";

const BEDROCK = '{"recordId":"a","modelInput":{}}\n';

/** A provider that fails or hangs as a test wants it to. */
class FaultyStorage extends MemoryStorage {
  /** What happens around the next upload; then all is well again. */
  fault: "none" | "refuses" | "cut_before" | "cut_after" = "none";
  /** Awaited after the body was read, before the file is made. */
  beforeFile: Promise<void> = Promise.resolve();
  /** Awaited when the file is there, before the answer. */
  afterFile: Promise<void> = Promise.resolve();
  readonly reached = { body: signal(), file: signal() };

  constructor() {
    super({ inputsDownloadable: true, now: () => new Date() });
  }

  override async putFile(
    call: DriverCall,
    draft: FileDraft,
    body: ByteStream,
  ): Promise<RemoteFile> {
    const { fault, beforeFile, afterFile } = this;
    this.fault = "none";
    this.beforeFile = Promise.resolve();
    this.afterFile = Promise.resolve();
    const content = await Array.fromAsync(body);
    this.reached.body.resolve();
    await beforeFile;
    if (fault === "refuses") throw failed("invalid_request");
    if (fault === "cut_before") throw failed("upstream_unavailable");
    const file = await super
      .putFile(call, draft, ReadableStream.from(content));
    this.reached.file.resolve();
    await afterFile;
    if (fault === "cut_after") throw failed("upstream_unavailable");
    return file;
  }
}

function failed(kind: "invalid_request" | "upstream_unavailable") {
  return new GatewayError({ kind }, "As the test wants it.");
}

function signal(): PromiseWithResolvers<void> {
  return Promise.withResolvers<void>();
}

async function openFaulty(): Promise<
  { fixture: Fixture; storage: FaultyStorage }
> {
  const storage = new FaultyStorage();
  return { fixture: await Fixture.open({ storage }), storage };
}

/** Longer than a claim lasts without a sign of life. */
const CLAIM_OVER_MS = 21_000;
const STRAY_OVER_MS = 3 * 60_000;

Deno.test("complete() makes one file of the parts, in their order", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create({
    headers: {
      ...NO_HEADERS,
      contentType: "text/x",
      metadata: { who: "me" },
    },
  });
  const last = await fixture.put(name, 9, LAST);
  const first = await fixture.put(name, 2, FIRST);
  const result = await fixture.complete(name, [first, last]);
  const object = await fixture.find();
  assertEquals(object.etag, result.etag);
  assertEquals(object.headers.metadata, { who: "me" });
  assertEquals(object.headers.contentType, "text/x");
  const content = await fixture.read(object);
  assertEquals(Buffer.compare(content, Buffer.concat([FIRST, LAST])), 0);
  assertEquals(await fixture.stored(), []);
});

Deno.test("complete() gives the provider a name with the upload's id", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  await fixture.complete(name, parts);
  const [fileName = ""] = fixture.remoteNames();
  assertMatch(fileName, new RegExp(`^a\\.${name.uploadId}-.{8}\\.jsonl$`));
});

Deno.test("complete() repeated answers as it did the first time", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  const condition = { absent: true, etag: null };
  const first = await fixture.complete(name, parts, { condition });
  assertEquals(await fixture.complete(name, parts, { condition }), first);
  await fixture.process.files.delete(
    ADMIN,
    "openai",
    { ...name, ifMatch: null },
  );
  assertEquals(await fixture.complete(name, parts, { condition }), first);
  assertEquals(fixture.storage.calls.put, 1);
});

Deno.test("complete() repeated with other parts finds no upload", async () => {
  await using fixture = await Fixture.open();
  const name = await fixture.create();
  const one = await fixture.put(name, 1, LAST);
  const two = await fixture.put(name, 2, LAST);
  await fixture.complete(name, [one]);
  assertEquals(
    await failureOf(fixture.complete(name, [two])),
    "no_such_upload",
  );
});

Deno.test("complete() from many callers at once makes one file", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  const processes = [fixture.start(), fixture.start(), fixture.process];
  const results = await Promise.all(
    Array.from({ length: 12 }, (_, i) => {
      const process = processes[i % processes.length] ?? fixture.process;
      return fixture.complete(name, parts, { process });
    }),
  );
  assertEquals(new Set(results.map(({ etag }) => etag)).size, 1);
  assertEquals(fixture.storage.calls.put, 1);
});

Deno.test("complete() refused by the provider leaves the upload open", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  storage.fault = "refuses";
  assertEquals(
    await failureOf(fixture.complete(name, parts)),
    "invalid_request",
  );
  const more = await fixture.put(name, 1, RECORD.repeat(2));
  await fixture.complete(name, [more]);
  assertEquals(storage.files.size, 1);
  assertEquals((await fixture.find()).sizeBytes, more.sizeBytes);
});

Deno.test("complete() adopts the file of an answer that got lost", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  storage.fault = "cut_after";
  const kind = await failureOf(fixture.complete(name, parts));
  assertEquals(kind, "upstream_unavailable");
  const { etag } = await fixture.complete(name, parts);
  assertEquals([...storage.files.keys()], [etag]);
  assertEquals(storage.calls.put, 1);
});

Deno.test("complete() sends again what never got there", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  storage.fault = "cut_before";
  const kind = await failureOf(fixture.complete(name, parts));
  assertEquals(kind, "upstream_unavailable");
  const { etag } = await fixture.complete(name, parts);
  assertEquals([...storage.files.keys()], [etag]);
});

Deno.test("complete() with other parts does not adopt, and the stray goes", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const name = await fixture.create();
  const one = await fixture.put(name, 1, LAST);
  const two = await fixture.put(name, 2, RECORD.repeat(2));
  storage.fault = "cut_after";
  await failureOf(fixture.complete(name, [one]));
  const { etag } = await fixture.complete(name, [two]);
  assertEquals(storage.files.size, 2);
  await fixture.uploads.sweep();
  assertEquals([...storage.files.keys()], [etag]);
});

Deno.test("complete() after a kill waits for the claim, then adopts", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  const never = signal();
  storage.afterFile = never.promise;
  const killed = fixture.complete(name, parts, { process: fixture.start() });
  killed.catch(() => {});
  await storage.reached.file.promise;
  const startMs = fixture.nowMs;
  const { etag } = await fixture.complete(name, parts);
  assert(fixture.nowMs - startMs >= 20_000);
  assertEquals([...storage.files.keys()], [etag]);
  assertEquals(storage.calls.put, 1);
  // It was not dead after all: it changes nothing, and answers the same.
  never.resolve();
  assertEquals((await killed).etag, etag);
  assertEquals([...storage.files.keys()], [etag]);
});

Deno.test("a completion that was taken over cannot make a file any more", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const name = await fixture.create();
  const parts = [await fixture.put(name, 1, LAST)];
  // The body stands still before its end.
  const slow = fixture.start({ store: await stuckStore(fixture) });
  const zombie = fixture.complete(name, parts, { process: slow });
  zombie.catch(() => {});
  await stuck.promise;
  fixture.nowMs += CLAIM_OVER_MS;
  const { etag } = await fixture.complete(name, parts);
  go.resolve();
  assertEquals((await zombie).etag, etag);
  assertEquals([...storage.files.keys()], [etag]);
  assertEquals(storage.calls.put, 1);
});

let stuck = signal();
let go = signal();

/** A store whose reads stop at their end until `go` resolves. */
function stuckStore(fixture: Fixture) {
  stuck = signal();
  go = signal();
  const { store } = fixture;
  return Promise.resolve({
    kind: store.kind,
    put: store.put.bind(store),
    head: store.head.bind(store),
    delete: store.delete.bind(store),
    list: store.list.bind(store),
    probe: store.probe.bind(store),
    close: store.close.bind(store),
    async open(key: string) {
      const content = await store.open(key);
      if (content === null) return null;
      async function* slowly(source: ByteStream) {
        yield* source;
        stuck.resolve();
        await go.promise;
      }
      return ReadableStream.from(slowly(content));
    },
  });
}

Deno.test("a file that a slow completion makes too late is swept", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  const late = signal();
  storage.beforeFile = late.promise;
  const zombie = fixture.complete(name, parts, { process: fixture.start() });
  zombie.catch(() => {});
  await storage.reached.body.promise;
  fixture.nowMs += CLAIM_OVER_MS;
  const { etag } = await fixture.complete(name, parts);
  late.resolve();
  assertEquals((await zombie).etag, etag);
  assertEquals(storage.files.size, 2);
  fixture.nowMs += 1500;
  const { deletedFiles } = await fixture.uploads.sweep();
  assertEquals(deletedFiles, 1);
  assertEquals([...storage.files.keys()], [etag]);
  assertEquals((await fixture.find()).etag, etag);
});

Deno.test("complete() keeps to its conditions, and leaves the upload open", async () => {
  await using fixture = await Fixture.open();
  const before = await smallUpload(fixture);
  const { etag } = await fixture.complete(before.name, before.parts);
  const { name, parts } = await smallUpload(fixture);
  const absent = { absent: true, etag: null };
  assertEquals(
    await failureOf(fixture.complete(name, parts, { condition: absent })),
    "precondition_failed",
  );
  const condition = { absent: false, etag };
  const next = await fixture.complete(name, parts, { condition });
  assertEquals((await fixture.find()).etag, next.etag);
});

Deno.test("complete() takes its file back where the key was written meanwhile", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  const other = await smallUpload(fixture);
  const race = signal();
  storage.beforeFile = race.promise;
  const condition = { absent: true, etag: null };
  const late = fixture.complete(name, parts, { condition });
  await storage.reached.body.promise;
  const { etag } = await fixture.complete(other.name, other.parts);
  race.resolve();
  assertEquals(await failureOf(late), "precondition_failed");
  assertEquals([...storage.files.keys()], [etag]);
});

for (
  const { what, text, key } of [
    { what: "another format's records", text: BEDROCK, key: "a.jsonl" },
    { what: "an empty object", text: "", key: "a.jsonl" },
    { what: "a folder marker", text: RECORD, key: "a/" },
  ]
) {
  Deno.test(`complete() keeps ${what} with the gateway`, async () => {
    await using fixture = await Fixture.open();
    const name = await fixture.create({ key });
    const part = await fixture.put(name, 1, text);
    const { etag } = await fixture.complete(name, [part]);
    assertEquals((await fixture.find(key)).source.kind, "kept_file");
    assertEquals(await fixture.stored(), [`files/${etag}`]);
    assertEquals(fixture.storage.calls.put, 0);
    assertEquals(await fixture.read(await fixture.find(key)), utf8(text));
  });
}

Deno.test("complete() goes on when its caller is gone", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  const slow = signal();
  storage.beforeFile = slow.promise;
  const controller = new AbortController();
  const call = { ...ADMIN, signal: controller.signal };
  const left = fixture.complete(name, parts, { call });
  await storage.reached.body.promise;
  controller.abort(new GatewayError({ kind: "conflict" }, "gone"));
  assertEquals(await failureOf(left), "conflict");
  slow.resolve();
  const { etag } = await fixture.complete(name, parts);
  assertEquals([...storage.files.keys()], [etag]);
});

Deno.test("abort() deletes what a dead completion made", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  storage.fault = "cut_after";
  await failureOf(fixture.complete(name, parts));
  await fixture.uploads.abort(ADMIN, "openai", name);
  assertEquals(storage.files.size, 0);
  assertEquals(await fixture.stored(), []);
  assertEquals(
    await failureOf(fixture.complete(name, parts)),
    "no_such_upload",
  );
});

Deno.test("abort() deletes it also where it turns up later", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  storage.fault = "cut_after";
  await failureOf(fixture.complete(name, parts));
  const [fileId = ""] = storage.files.keys();
  storage.lagging.add(fileId);
  await fixture.uploads.abort(ADMIN, "openai", name);
  assertEquals(storage.files.size, 1);
  storage.lagging.clear();
  fixture.nowMs += STRAY_OVER_MS;
  await fixture.uploads.sweep();
  assertEquals(storage.files.size, 0);
  assertEquals(await Array.fromAsync(fixture.index.listUnsettled()), []);
});

Deno.test("putPart() after a dead completion opens the upload again", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  storage.fault = "cut_after";
  await failureOf(fixture.complete(name, parts));
  const part = await fixture.put(name, 1, RECORD.repeat(3));
  const { etag } = await fixture.complete(name, [part]);
  fixture.nowMs += STRAY_OVER_MS;
  await fixture.uploads.sweep();
  assertEquals([...storage.files.keys()], [etag]);
});

Deno.test("putPart() while an upload is completed is a conflict", async () => {
  const { fixture, storage } = await openFaulty();
  await using _ = fixture;
  const { name, parts } = await smallUpload(fixture);
  const slow = signal();
  storage.beforeFile = slow.promise;
  const completing = fixture.complete(name, parts);
  await storage.reached.body.promise;
  assertEquals(await failureOf(fixture.put(name, 1, LAST)), "conflict");
  slow.resolve();
  await completing;
  assertEquals(await failureOf(fixture.put(name, 1, LAST)), "no_such_upload");
  assertEquals(await fixture.stored(), []);
});

Deno.test("a part that is damaged at rest makes no file", async () => {
  await using fixture = await Fixture.open();
  const { name, parts } = await smallUpload(fixture);
  const [part] = parts;
  const wrong = ReadableStream.from([utf8("x".repeat(LAST.length))]);
  await fixture.store.put(part?.storeKey ?? "", wrong);
  assertEquals(await failureOf(fixture.complete(name, parts)), "internal");
  assertEquals(fixture.storage.files.size, 0);
  const again = await fixture.put(name, 1, LAST);
  await fixture.complete(name, [again]);
  assertEquals(orderOf([again]).parts.length, 1);
});
