import { assertEquals, assertFalse } from "@std/assert";
import { createKvLeases } from "./job_leases.ts";
import { JOB_KEYS } from "./job_keys.ts";

/** Never reached by a real renewal: the tests make time pass. */
const HOUR_MS = 3_600_000;

class Clock {
  #ms = 0;

  readonly now = (): number => this.#ms;

  advance(ms: number): void {
    this.#ms += ms;
  }
}

interface Bench {
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  open(timeToLiveMs?: number): ReturnType<typeof createKvLeases>;
}

function testLeases(name: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test(`KV leases: ${name}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const clock = new Clock();
    await body({
      kv,
      clock,
      open: (timeToLiveMs = HOUR_MS) =>
        createKvLeases(kv, { timeToLiveMs, monotonicMs: clock.now }),
    });
  });
}

testLeases("one of two replicas holds a lease", async (bench) => {
  const [first, second] = [bench.open(), bench.open()];
  const held = await first.acquire("sweep");
  assertEquals(await second.acquire("sweep"), null);
  const other = await second.acquire("another");
  assertFalse(other === null);
  await held?.release();
  await other?.release();
});

testLeases("of many who ask at once, one gets it", async (bench) => {
  const asked = Array.from(
    { length: 10 },
    () => bench.open().acquire("sweep"),
  );
  const held = (await Promise.all(asked)).filter((lease) => lease !== null);
  assertEquals(held.length, 1);
  for (const lease of held) await lease.release();
});

testLeases("what is released can be had at once", async (bench) => {
  const [first, second] = [bench.open(), bench.open()];
  const held = await first.acquire("sweep");
  await held?.release();
  await held?.release();
  const taken = await second.acquire("sweep");
  assertFalse(taken === null);
  await taken?.release();
});

testLeases(
  "a dead replica's lease falls to another in its time",
  async (bench) => {
    const [first, second] = [bench.open(), bench.open()];
    const held = await first.acquire("sweep");
    assertEquals(await second.acquire("sweep"), null);
    bench.clock.advance(HOUR_MS - 1);
    assertEquals(await second.acquire("sweep"), null);
    bench.clock.advance(1);
    const taken = await second.acquire("sweep");
    assertFalse(taken === null);
    // The first one was only slow, and must not take it away again.
    await held?.release();
    assertEquals(await bench.open().acquire("sweep"), null);
    await taken?.release();
  },
);

testLeases(
  "a clock that is far ahead neither keeps nor takes a lease",
  async (bench) => {
    const key = JOB_KEYS.lease("sweep");
    const renewedAt = new Date(Date.now() + 24 * HOUR_MS);
    await bench.kv.set(key, { owner: "ahead", renewedAt });
    const replica = bench.open();
    assertEquals(await replica.acquire("sweep"), null);
    bench.clock.advance(HOUR_MS);
    const taken = await replica.acquire("sweep");
    assertFalse(taken === null);
    await taken?.release();
  },
);

testLeases(
  "a lease that died long ago is taken without a wait",
  async (bench) => {
    const renewedAt = new Date(Date.now() - 24 * HOUR_MS);
    await bench.kv.set(JOB_KEYS.lease("sweep"), { owner: "gone", renewedAt });
    const taken = await bench.open().acquire("sweep");
    assertFalse(taken === null);
    await taken?.release();
  },
);

testLeases(
  "a holder that works on keeps its lease, and sees when it is lost",
  async (bench) => {
    const held = await bench.open(40).acquire("sweep");
    const watcher = bench.open(40);
    const key = JOB_KEYS.lease("sweep");
    const first = await bench.kv.get(key);
    assertEquals(await watcher.acquire("sweep"), null);
    await untilChanged(bench.kv, key, first.versionstamp);
    bench.clock.advance(40);
    assertEquals(await watcher.acquire("sweep"), null);
    await bench.kv.set(key, { owner: "thief", renewedAt: new Date() });
    while (held?.isLost() === false) await pause(5);
    await held?.release();
    assertEquals(
      (await bench.kv.get<{ owner: string }>(key)).value?.owner,
      "thief",
    );
  },
);

async function untilChanged(
  kv: Deno.Kv,
  key: Deno.KvKey,
  version: string | null,
): Promise<void> {
  while ((await kv.get(key)).versionstamp === version) await pause(5);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
