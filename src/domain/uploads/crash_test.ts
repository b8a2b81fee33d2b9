import { assert, assertEquals } from "@std/assert";
import type { ByteStream } from "../bytes.ts";
import type { DriverCall, FileDraft, RemoteFile } from "../driver.ts";
import { ADMIN, MemoryStorage, utf8 } from "../files/file_fixture.ts";
import type { UploadName, UploadPart } from "./upload.ts";
import {
  FIRST,
  Fixture,
  LAST,
  type Process,
  RECORD,
} from "./upload_fixture.ts";

const BEDROCK = '{"recordId":"a","modelInput":{}}\n';
const CRASH_POINTS_MAX = 200;
const STRAY_OVER_MS = 3 * 60_000;
const ORPHAN_OVER_MS = 2 * 60 * 60_000;

/** A process that dies at one of its calls to the world outside. */
class Crash {
  #left: number;
  readonly #effect: "before" | "after";
  dead = false;

  constructor(point: number, effect: "before" | "after") {
    this.#left = point;
    this.#effect = effect;
  }

  /** Wraps every method of something that outlives the process. */
  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => this.#call(target, value, args);
      },
    });
  }

  // deno-lint-ignore ban-types -- whatever method the proxy was asked for
  #call(target: object, method: Function, args: unknown[]): unknown {
    if (this.dead) throw new Error("killed");
    const isPoint = --this.#left === 0;
    if (isPoint) this.dead = true;
    if (isPoint && this.#effect === "before") throw new Error("killed");
    const result: unknown = Reflect.apply(method, target, args);
    if (!isPoint) return result;
    if (!(result instanceof Promise)) throw new Error("killed");
    // What was asked for is done, but nobody is there to hear of it.
    return result.then(() => {
      throw new Error("killed");
    });
  }
}

/** Puts its files only once the whole body has come. */
class AtomicStorage extends MemoryStorage {
  override async putFile(
    call: DriverCall,
    draft: FileDraft,
    body: ByteStream,
  ): Promise<RemoteFile> {
    const content = await Array.fromAsync(body);
    return await super.putFile(call, draft, ReadableStream.from(content));
  }
}

interface Setting {
  readonly fixture: Fixture;
  readonly storage: MemoryStorage;
  readonly name: UploadName;
  readonly parts: UploadPart[];
  readonly doomed: Process;
  readonly crash: Crash;
}

/** An upload, ready to be completed by a process that will die. */
async function prepare(
  point: number,
  effect: "before" | "after",
  contents: readonly Uint8Array[],
): Promise<Setting> {
  const storage: MemoryStorage = new AtomicStorage({
    inputsDownloadable: true,
    now: () => new Date(),
  });
  const fixture = await Fixture.open({ storage });
  const name = await fixture.create();
  const parts: UploadPart[] = [];
  for (const [i, content] of contents.entries()) {
    parts.push(await fixture.put(name, i + 1, content));
  }
  const crash = new Crash(point, effect);
  const doomed = fixture.start({
    storage: crash.wrap(storage),
    index: crash.wrap(fixture.index),
    store: crash.wrap(fixture.store),
  });
  return { fixture, storage, name, parts, doomed, crash };
}

/** Long after the crash: everything that can turn up has. */
async function sweepLater(fixture: Fixture): Promise<void> {
  fixture.nowMs += STRAY_OVER_MS;
  await fixture.uploads.sweep();
  fixture.nowMs += STRAY_OVER_MS;
  await fixture.uploads.sweep();
  await fixture.uploads.sweep(new Date(fixture.nowMs + ORPHAN_OVER_MS));
}

/** Runs `check` for every call at which the process can die. */
async function atEveryPoint(
  contents: readonly Uint8Array[],
  effect: "before" | "after",
  check: (setting: Setting, acknowledged: string | null) => Promise<void>,
): Promise<void> {
  let point = 1;
  for (; point < CRASH_POINTS_MAX; point++) {
    const setting = await prepare(point, effect, contents);
    await using fixture = setting.fixture;
    const { name, parts, doomed, crash } = setting;
    const acknowledged = await fixture
      .complete(name, parts, { process: doomed })
      .then(({ etag }) => etag, () => null);
    await doomed.uploads.drain();
    await check(setting, acknowledged);
    if (!crash.dead) break;
  }
  assert(point > 5 && point < CRASH_POINTS_MAX, `${point} crash points`);
}

for (const effect of ["before", "after"] as const) {
  for (
    const { what, contents } of [
      { what: "a file", contents: [LAST] },
      { what: "records that are kept", contents: [utf8(BEDROCK)] },
    ]
  ) {
    Deno.test(`killed ${effect} any call, completed again: one object of ${what}`, async () => {
      await atEveryPoint(contents, effect, async (setting, acknowledged) => {
        const { fixture, storage, name, parts } = setting;
        const { etag } = await fixture.complete(name, parts);
        if (acknowledged !== null) assertEquals(etag, acknowledged);
        await sweepLater(fixture);
        const object = await fixture.find();
        assertEquals(object.etag, etag);
        assertEquals(await fixture.read(object), contents[0]);
        const kept = object.source.kind === "kept_file";
        assertEquals([...storage.files.keys()], kept ? [] : [etag]);
        assertEquals(await fixture.stored(), kept ? [`files/${etag}`] : []);
        assertEquals(await Array.fromAsync(fixture.index.listUnsettled()), []);
      });
    });
  }

  Deno.test(`killed ${effect} any call, then aborted: nothing, or the whole object`, async () => {
    await atEveryPoint([LAST], effect, async (setting, acknowledged) => {
      const { fixture, storage, name } = setting;
      const aborted = await fixture.uploads.abort(ADMIN, "openai", name)
        .then(() => true, () => false);
      assert(acknowledged === null || !aborted);
      await sweepLater(fixture);
      assertEquals(storage.files.size, aborted ? 0 : 1);
      if (!aborted) await fixture.find();
      assertEquals(await fixture.stored(), []);
      assertEquals(await fixture.index.countOpen("operators"), 0);
      assertEquals(await Array.fromAsync(fixture.index.listUnsettled()), []);
    });
  });

  Deno.test(`killed ${effect} any call, and nobody comes back: an object or an open upload`, async () => {
    await atEveryPoint([LAST], effect, async (setting) => {
      const { fixture, storage, name, parts } = setting;
      await sweepLater(fixture);
      const isOpen = await fixture.index.countOpen("operators") === 1;
      assertEquals(storage.files.size, isOpen ? 0 : 1);
      assertEquals((await fixture.stored()).length, isOpen ? 1 : 0);
      assertEquals(await Array.fromAsync(fixture.index.listUnsettled()), []);
      const { etag } = await fixture.complete(name, parts);
      assertEquals([...storage.files.keys()], [etag]);
    });
  });

  Deno.test(`killed ${effect} any call of a part: it is there, or can be put again`, async () => {
    let point = 1;
    for (; point < CRASH_POINTS_MAX; point++) {
      const setting = await prepare(point, effect, [FIRST.slice(0, 9)]);
      await using fixture = setting.fixture;
      const { name, doomed, crash, storage } = setting;
      await fixture.put(name, 1, RECORD.repeat(2), { process: doomed })
        .catch(() => {});
      const [part] = await Array
        .fromAsync(fixture.index.listParts(name.uploadId, 0));
      assert(part !== undefined);
      const again = await fixture.put(name, 1, LAST);
      assertEquals(await fixture.index.partBytes(name.uploadId), LAST.length);
      await fixture.uploads.sweep(new Date(Date.now() + ORPHAN_OVER_MS));
      assertEquals(await fixture.stored(), [again.storeKey]);
      await fixture.complete(name, [again]);
      assertEquals(storage.files.size, 1);
      assertEquals(await fixture.stored(), []);
      if (!crash.dead) break;
    }
    assert(point > 4 && point < CRASH_POINTS_MAX, `${point} crash points`);
  });
}
