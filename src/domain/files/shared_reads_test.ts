import { assert, assertEquals, assertRejects } from "@std/assert";
import type { DriverCall } from "../driver.ts";
import { SharedReads } from "./shared_reads.ts";

const AGE_MAX_MS = 1000;

class Bench {
  nowMs = 0;
  loads = 0;
  readonly signals: AbortSignal[] = [];
  readonly gates: PromiseWithResolvers<string>[] = [];
  readonly reads: SharedReads<string>;

  constructor(entriesMax = 100) {
    const now = () => new Date(this.nowMs);
    this.reads = new SharedReads({ ageMaxMs: AGE_MAX_MS, entriesMax, now });
  }

  /** A read that ends when its gate is opened. */
  get(key: string, signal = new AbortController().signal): Promise<string> {
    return this.reads.get(key, { requestId: "r", signal }, (call) => {
      this.loads++;
      this.signals.push(call.signal);
      const gate = Promise.withResolvers<string>();
      this.gates.push(gate);
      return gate.promise;
    });
  }

  answer(text: string): void {
    this.gates.shift()?.resolve(text);
  }
}

Deno.test("SharedReads: many callers cause one read, and one more a second later", async () => {
  const bench = new Bench();
  const callers = Array.from({ length: 50 }, () => bench.get("k"));
  bench.answer("first");
  assertEquals(new Set(await Promise.all(callers)), new Set(["first"]));
  bench.nowMs = AGE_MAX_MS - 1;
  assertEquals(await bench.get("k"), "first");
  assertEquals(bench.loads, 1);
  bench.nowMs = AGE_MAX_MS;
  const later = bench.get("k");
  bench.answer("second");
  assertEquals(await later, "second");
  assertEquals(bench.loads, 2);
});

Deno.test("SharedReads: a caller gets no answer of a read that began too long ago", async () => {
  const bench = new Bench();
  const early = bench.get("k");
  bench.nowMs = AGE_MAX_MS;
  const late = [bench.get("k"), bench.get("k")];
  assertEquals(bench.loads, 1);
  bench.answer("old");
  assertEquals(await early, "old");
  // Only now, one after the other, and one for both.
  while (bench.loads < 2) await Promise.resolve();
  bench.answer("new");
  assertEquals(await Promise.all(late), ["new", "new"]);
  assertEquals(bench.loads, 2);
});

Deno.test("SharedReads: a failure reaches its callers and is not kept", async () => {
  const bench = new Bench();
  const callers = [bench.get("k"), bench.get("k")];
  bench.gates.shift()?.reject(new Error("upstream"));
  for (const caller of callers) {
    await assertRejects(() => caller, Error, "upstream");
  }
  const again = bench.get("k");
  bench.answer("fine");
  assertEquals(await again, "fine");
});

Deno.test("SharedReads: a caller who leaves takes nobody along", async () => {
  const bench = new Bench();
  const leaving = new AbortController();
  const left = bench.get("k", leaving.signal);
  const stays = bench.get("k");
  leaving.abort(new Error("gone"));
  await assertRejects(() => left, Error, "gone");
  assert(!bench.signals[0]?.aborted);
  bench.answer("here");
  assertEquals(await stays, "here");
});

Deno.test("SharedReads: the last caller who leaves ends the read", async () => {
  const bench = new Bench();
  const leaving = new AbortController();
  const left = bench.get("k", leaving.signal);
  leaving.abort(new Error("gone"));
  await assertRejects(() => left, Error, "gone");
  assert(bench.signals[0]?.aborted);
  const next = bench.get("k");
  assertEquals(bench.loads, 2);
  bench.gates.shift();
  bench.answer("fresh");
  assertEquals(await next, "fresh");
});

Deno.test("SharedReads: a read under way does not answer for a key deleted meanwhile", async () => {
  const bench = new Bench();
  const before = bench.get("k");
  bench.reads.delete("k");
  const after = bench.get("k");
  bench.answer("stale");
  bench.answer("fresh");
  assertEquals(await before, "stale");
  assertEquals(await after, "fresh");
  assertEquals(await bench.get("k"), "fresh");
});

Deno.test("SharedReads: a value that was set answers like one that was read", async () => {
  const bench = new Bench();
  bench.reads.set("k", "set");
  assertEquals(await bench.get("k"), "set");
  bench.nowMs = AGE_MAX_MS;
  const later = bench.get("k");
  bench.answer("read");
  assertEquals(await later, "read");
});

Deno.test("SharedReads: keeps no more entries than its bound", async () => {
  const bench = new Bench(2);
  for (const key of ["a", "b", "c"]) bench.reads.set(key, key);
  const call: DriverCall = {
    requestId: "r",
    signal: new AbortController().signal,
  };
  const read = (key: string) =>
    bench.reads.get(key, call, () => Promise.resolve("read"));
  assertEquals(await read("c"), "c");
  assertEquals(await read("b"), "b");
  assertEquals(await read("a"), "read");
});
