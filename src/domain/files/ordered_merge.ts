/** One iterable with the item that comes next. */
class Cursor<T> {
  readonly #iterator: AsyncIterator<T>;
  item: T | null = null;

  constructor(source: AsyncIterable<T>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async advance(): Promise<void> {
    const next = await this.#iterator.next();
    this.item = next.done ? null : next.value;
  }

  async close(): Promise<void> {
    this.item = null;
    await this.#iterator.return?.();
  }
}

/**
 * Merges iterables that are each in the order of `compare`. Items that compare
 * as equal come together, in the order of their sources; a source without one
 * has null in its place.
 */
export async function* joinOrdered<T>(
  sources: readonly AsyncIterable<T>[],
  compare: (a: T, b: T) => number,
): AsyncIterable<(T | null)[]> {
  const cursors = sources.map((source) => new Cursor(source));
  try {
    await Promise.all(cursors.map((cursor) => cursor.advance()));
    for (;;) {
      const least = leastOf(cursors, compare);
      if (least === null) return;
      const taken = cursors.map((cursor) =>
        cursor.item !== null && compare(cursor.item, least) === 0
      );
      yield cursors.map((cursor, i) => taken[i] ? cursor.item : null);
      for (const [i, cursor] of cursors.entries()) {
        if (taken[i]) await cursor.advance();
      }
    }
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

function leastOf<T>(
  cursors: readonly Cursor<T>[],
  compare: (a: T, b: T) => number,
): T | null {
  let least: T | null = null;
  for (const { item } of cursors) {
    if (item !== null && (least === null || compare(item, least) < 0)) {
      least = item;
    }
  }
  return least;
}

/**
 * What `resolve` makes of each item, in the items' order and without nulls;
 * up to `aheadMax` are worked on at a time.
 */
export async function* resolveAhead<T, R>(
  source: AsyncIterable<T>,
  aheadMax: number,
  resolve: (item: T) => Promise<R | null>,
): AsyncIterable<R> {
  const pending: Promise<R | null>[] = [];
  for await (const item of source) {
    const result = resolve(item);
    // A consumer that stops early awaits no more of them.
    result.catch(() => {});
    pending.push(result);
    if (pending.length < aheadMax) continue;
    const first = await pending.shift();
    if (first !== null && first !== undefined) yield first;
  }
  for (const result of pending) {
    const last = await result;
    if (last !== null) yield last;
  }
}
