import { assert, assertEquals, assertRejects } from "@std/assert";
import { joinOrdered, resolveAhead } from "./ordered_merge.ts";

/** A source that tells how far it was read and whether it was closed. */
function source<T>(items: readonly T[]) {
  const seen = { read: 0, closed: false };
  async function* read(): AsyncIterable<T> {
    try {
      for (const item of items) {
        seen.read++;
        yield item;
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, items: read() };
}

function byNumber(a: number, b: number): number {
  return a - b;
}

Deno.test("joinOrdered() brings equal items together, in order", async () => {
  const sources = [[1, 3, 5], [], [1, 2, 5, 6]].map((it) => source(it).items);
  assertEquals(await Array.fromAsync(joinOrdered(sources, byNumber)), [
    [1, null, 1],
    [null, null, 2],
    [3, null, null],
    [5, null, 5],
    [null, null, 6],
  ]);
});

Deno.test("joinOrdered() reads one item ahead and closes what it read", async () => {
  const a = source([1, 2, 3, 4]);
  const b = source([100, 101, 102]);
  for await (const [first] of joinOrdered([a.items, b.items], byNumber)) {
    if (first === 2) break;
  }
  assertEquals(a.seen, { read: 2, closed: true });
  assertEquals(b.seen, { read: 1, closed: true });
});

Deno.test("resolveAhead() keeps order and leaves nulls out, whichever ends first", async () => {
  const gates = [0, 1, 2, 3, 4].map(() => Promise.withResolvers<void>());
  const results = Array.fromAsync(
    resolveAhead(source([0, 1, 2, 3, 4]).items, 10, async (item) => {
      await gates[item]?.promise;
      return item === 2 ? null : `item ${item}`;
    }),
  );
  for (const gate of gates.toReversed()) gate.resolve();
  assertEquals(await results, ["item 0", "item 1", "item 3", "item 4"]);
});

Deno.test("resolveAhead() works on no more than its bound at a time", async () => {
  let running = 0;
  let most = 0;
  const items = resolveAhead(
    source(Array.from({ length: 50 }, (_, i) => i)).items,
    4,
    async (item) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return item;
    },
  );
  assertEquals((await Array.fromAsync(items)).length, 50);
  assert(most <= 4);
});

Deno.test("resolveAhead() passes errors on and closes its source", async () => {
  const numbers = source([1, 2, 3, 4, 5]);
  const results = resolveAhead(
    numbers.items,
    2,
    (item) =>
      item === 2 ? Promise.reject(new Error("two")) : Promise.resolve(item),
  );
  await assertRejects(() => Array.fromAsync(results), Error, "two");
  assert(numbers.seen.closed);
});
