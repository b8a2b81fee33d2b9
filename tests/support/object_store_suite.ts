import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../../src/domain/bytes.ts";
import { GatewayError } from "../../src/domain/failure.ts";
import type { ObjectStore } from "../../src/domain/object_store.ts";

/** One implementation of ObjectStore, and what it needs around it. */
export interface StoreFixture {
  readonly name: string;
  /** Why the suite cannot run here; absent: it can. */
  readonly ignore?: boolean;
  /** A store in which nothing is stored yet. */
  open(): Promise<RunningStore>;
}

export interface RunningStore extends AsyncDisposable {
  readonly store: ObjectStore;
}

/** Larger than any part that an implementation holds, and a multiple of none. */
const LARGE_BYTES = 17 * 1024 * 1024 + 4_321;

/** Registers what `ObjectStore` promises as tests of one implementation. */
export function testObjectStore(fixture: StoreFixture): void {
  for (const [name, check] of Object.entries(CHECKS)) {
    Deno.test({
      name: `${fixture.name}: ${name}`,
      ignore: fixture.ignore ?? false,
      sanitizeOps: true,
      sanitizeResources: true,
      async fn() {
        await using running = await fixture.open();
        await check(running.store);
      },
    });
  }
}

type Check = (store: ObjectStore) => Promise<void>;

const CHECKS: Readonly<Record<string, Check>> = {
  "bytes come back as they were put": checkRoundTrip,
  "put() replaces what was there": checkReplace,
  "head() and open() of nothing are null": checkMissing,
  "a body that errors leaves what was there": checkBrokenBody,
  "an aborted put leaves what was there": checkAbort,
  "of racing puts one wins as a whole": checkRace,
  "open() takes ranges that lie within": checkRanges,
  "a stream that is not read on lets go": checkCancel,
  "delete() is idempotent and takes one object": checkDelete,
  "list() keeps key order under any prefix": checkList,
  "list() goes beyond one page": checkLongList,
  "keys that could leave the store are refused": checkKeys,
  "probe() leaves nothing behind": checkProbe,
};

async function checkRoundTrip(store: ObjectStore): Promise<void> {
  const startedAtMs = Date.now();
  for (const sizeBytes of [0, 1, 70_001, 8 * 1024 * 1024, LARGE_BYTES]) {
    const key = `sizes/of-${sizeBytes}.bin`;
    const bytes = pattern(sizeBytes, sizeBytes);
    const stored = await store.put(key, inPieces(bytes, 100_003));
    assertEquals([stored.key, stored.sizeBytes], [key, sizeBytes]);

    const head = await store.head(key);
    assertEquals([head?.key, head?.sizeBytes], [key, sizeBytes]);
    const ageMs = (head?.modifiedAt.getTime() ?? 0) - startedAtMs;
    assert(ageMs > -5_000 && ageMs < 60_000, `modified ${ageMs} ms later`);
    assert(await holds(store, key, bytes), key);
  }
}

async function checkReplace(store: ObjectStore): Promise<void> {
  for (const sizeBytes of [100, LARGE_BYTES, 50]) {
    const bytes = pattern(sizeBytes, 7);
    await store.put("again", inPieces(bytes, 64 * 1024));
    assert(await holds(store, "again", bytes), `${sizeBytes}`);
  }
  assertEquals(await keysOf(store, ""), ["again"]);
}

async function checkMissing(store: ObjectStore): Promise<void> {
  await store.put("a/b", inPieces(pattern(1, 1), 1));
  for (const key of ["nothing", "a", "a/b/c", "a/bb"]) {
    assertEquals(await store.head(key), null);
    assertEquals(await store.open(key), null);
    const range = { offsetBytes: 0, lengthBytes: 1 };
    assertEquals(await store.open(key, range), null);
  }
}

async function checkBrokenBody(store: ObjectStore): Promise<void> {
  const before = pattern(1_000, 1);
  await store.put("kept", inPieces(before, 1_000));
  const failure = { kind: "bad_digest", algorithm: "md5" } as const;
  for (const afterBytes of [0, 10, 9 * 1024 * 1024]) {
    for (const key of ["kept", "new"]) {
      const body = breaking(afterBytes, new GatewayError(failure, "bad"));
      const error = await assertRejects(
        () => store.put(key, body),
        GatewayError,
      );
      assertEquals(error.failure, failure);
    }
  }
  assert(await holds(store, "kept", before));
  assertEquals(await keysOf(store, ""), ["kept"]);
}

async function checkAbort(store: ObjectStore): Promise<void> {
  const before = pattern(1_000, 1);
  await store.put("kept", inPieces(before, 1_000));
  for (const sizeBytes of [0, 9 * 1024 * 1024]) {
    const abort = new AbortController();
    // The rest never comes: only the signal can end this.
    const stalled = stalling(sizeBytes, () => abort.abort());
    await assertRejects(
      () => store.put("kept", stalled.body, abort.signal),
      GatewayError,
    );
    assertEquals(await stalled.cancelled, "cancelled");
  }
  await assertRejects(
    () => store.put("kept", inPieces(before, 10), AbortSignal.abort()),
    GatewayError,
  );
  assert(await holds(store, "kept", before));
  assertEquals(await keysOf(store, ""), ["kept"]);
}

async function checkRace(store: ObjectStore): Promise<void> {
  const bodies = [1, 2, 3, 4].map((seed) => pattern(300_000 + seed, seed));
  await Promise.all(
    bodies.map((bytes) => store.put("race/key", inPieces(bytes, 10_000))),
  );
  const held = await Promise.all(
    bodies.map((bytes) => holds(store, "race/key", bytes)),
  );
  assertEquals(held.filter(Boolean).length, 1);
}

async function checkRanges(store: ObjectStore): Promise<void> {
  const bytes = pattern(200_000, 3);
  await store.put("ranges", inPieces(bytes, 64 * 1024));
  const within: readonly (readonly [number, number])[] = [
    [0, 1],
    [0, 200_000],
    [65_535, 70_000],
    [199_999, 1],
    [200_000, 0],
    [5, 0],
  ];
  for (const [offsetBytes, lengthBytes] of within) {
    const stream = await store.open("ranges", { offsetBytes, lengthBytes });
    assertEquals(
      await readBytes(stream),
      bytes.slice(offsetBytes, offsetBytes + lengthBytes),
    );
  }
  for (const [offsetBytes, lengthBytes] of [[200_000, 1], [0, 200_001]]) {
    const error = await assertRejects(
      () =>
        store.open("ranges", {
          offsetBytes: offsetBytes ?? 0,
          lengthBytes: lengthBytes ?? 0,
        }),
      GatewayError,
    );
    assertEquals(error.failure, { kind: "invalid_range", sizeBytes: 200_000 });
  }
}

/** Leaks of files and connections are what the test's sanitizers look for. */
async function checkCancel(store: ObjectStore): Promise<void> {
  await store.put("large", inPieces(pattern(LARGE_BYTES, 9), 1024 * 1024));
  await (await store.open("large"))?.cancel();
  const reader = (await store.open("large"))?.getReader();
  assert((await reader?.read())?.done === false);
  await reader?.cancel();
}

async function checkDelete(store: ObjectStore): Promise<void> {
  for (const key of ["x/1", "x/2", "x"]) {
    await store.put(key, inPieces(pattern(3, 3), 3));
  }
  await store.delete("x/1");
  await store.delete("x/1");
  await store.delete("never/was");
  assertEquals(await keysOf(store, ""), ["x", "x/2"]);
  await store.delete("x/2");
  assertEquals(await keysOf(store, ""), ["x"]);
  await store.put("x/1", inPieces(pattern(1, 1), 1));
  assertEquals(await keysOf(store, ""), ["x", "x/1"]);
}

async function checkList(store: ObjectStore): Promise<void> {
  // In the order of S3, by bytes: "-" and "." come before "/", digits after.
  const keys = [
    "a",
    "a-b",
    "a-b/z",
    "a.b",
    "a/1/deep",
    "a/10",
    "a/2",
    "a0",
    "ab/c",
    "b",
  ];
  for (const [index, key] of keys.toReversed().entries()) {
    await store.put(key, inPieces(pattern(index, index), 1));
  }
  const prefixes = ["", "a", "a/", "a/1", "a-b", "ab", "b", "c", "a/1/deep"];
  for (const prefix of prefixes) {
    assertEquals(
      await keysOf(store, prefix),
      keys.filter((key) => key.startsWith(prefix)),
      `prefix "${prefix}"`,
    );
  }
  for await (const { key, sizeBytes } of store.list("")) {
    assertEquals(sizeBytes, keys.length - 1 - keys.indexOf(key));
  }
}

async function checkLongList(store: ObjectStore): Promise<void> {
  const keys = Array.from(
    { length: 1_010 },
    (_, index) => `many/${String(index).padStart(5, "0")}`,
  );
  for (let start = 0; start < keys.length; start += 50) {
    await Promise.all(
      keys.slice(start, start + 50).map((key) =>
        store.put(key, new Blob(["x"]).stream())
      ),
    );
  }
  assertEquals(await keysOf(store, "many/"), keys);
  // Whoever has seen enough stops.
  for await (const { key } of store.list("many/")) {
    assertEquals(key, keys[0]);
    break;
  }
}

async function checkKeys(store: ObjectStore): Promise<void> {
  const keys = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a b",
    "a\\b",
    "ä",
    "a=b",
    "a\0",
    "x".repeat(251),
    "y/".repeat(600) + "y",
  ];
  for (const key of keys) {
    const calls = [
      () => store.put(key, inPieces(pattern(1, 1), 1)),
      () => store.head(key),
      () => store.open(key),
      () => store.delete(key),
    ];
    for (const call of calls) {
      const error = await assertRejects(call, GatewayError);
      assertEquals(error.failure, { kind: "internal" });
    }
  }
  await assertRejects(() => keysOf(store, "../"), GatewayError);
  assertEquals(await keysOf(store, ""), []);
}

async function checkProbe(store: ObjectStore): Promise<void> {
  await store.probe();
  await store.probe();
  assertEquals(await keysOf(store, ""), []);
}

// ------------------------------------------------------------------ steps

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const objects = await Array.fromAsync(store.list(prefix));
  return objects.map(({ key }) => key);
}

async function holds(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
): Promise<boolean> {
  const read = await readBytes(await store.open(key));
  return read.length === bytes.length &&
    read.every((byte, index) => byte === bytes[index]);
}

function readBytes(stream: ByteStream | null): Promise<Uint8Array> {
  if (stream === null) throw new Error("there is no such object");
  return new Response(stream).bytes();
}

function pattern(sizeBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let index = 0; index < sizeBytes; index++) {
    bytes[index] = (index * 31 + (index >> 8) + seed) & 0xff;
  }
  return bytes;
}

function inPieces(bytes: Uint8Array, pieceBytes: number): ByteStream {
  let offset = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + pieceBytes));
      offset += pieceBytes;
    },
  }, { highWaterMark: 0 });
}

function breaking(afterBytes: number, error: GatewayError): ByteStream {
  let leftBytes = afterBytes;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (leftBytes <= 0) return controller.error(error);
      const sizeBytes = Math.min(leftBytes, 64 * 1024);
      leftBytes -= sizeBytes;
      controller.enqueue(new Uint8Array(sizeBytes));
    },
  }, { highWaterMark: 0 });
}

/** A body that never ends, and calls `onStall` when it stops to come. */
function stalling(
  afterBytes: number,
  onStall: () => void,
): { body: ByteStream; cancelled: Promise<"cancelled"> } {
  let leftBytes = afterBytes;
  const { promise: cancelled, resolve } = Promise.withResolvers<
    "cancelled"
  >();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (leftBytes > 0) {
        const sizeBytes = Math.min(leftBytes, 64 * 1024);
        leftBytes -= sizeBytes;
        controller.enqueue(new Uint8Array(sizeBytes));
        return;
      }
      queueMicrotask(onStall);
      return new Promise(() => {});
    },
    cancel() {
      resolve("cancelled");
    },
  }, { highWaterMark: 0 });
  return { body, cancelled };
}
