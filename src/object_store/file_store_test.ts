import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectStore } from "../domain/object_store.ts";
import { openFileObjectStore } from "./file_store.ts";
import { toStoreFailure } from "./store_failure.ts";

function storeTest(
  name: string,
  check: (directory: string) => Promise<void>,
): void {
  Deno.test({
    name: `file object store: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const directory = await Deno.makeTempDir();
      try {
        await check(directory);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

storeTest("objects outlive the store that wrote them", async (directory) => {
  const first = await openFileObjectStore({ directory });
  await first.put("a/b", new Blob(["kept"]).stream());
  await first.close();
  const second = await openFileObjectStore({ directory });
  assertEquals(await textOf(second, "a/b"), "kept");
  await second.close();
});

storeTest(
  "a killed writer leaves no object, and is swept",
  async (directory) => {
    await killWriter(directory);
    const [leftover] = await unfinished(directory);
    assert(leftover !== undefined, "the writer had begun");

    // Nobody knows yet that the writer is dead.
    const early = await openFileObjectStore({ directory });
    assertEquals(await unfinished(directory), [leftover]);
    assertEquals(await Array.fromAsync(early.list("")), []);
    await early.close();

    await makeOld(`${directory}/unfinished/${leftover}`);
    const late = await openFileObjectStore({ directory });
    assertEquals(await unfinished(directory), []);
    await late.close();
  },
);

storeTest(
  "a living writer is not swept by another store",
  async (directory) => {
    const writer = await openFileObjectStore({ directory });
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    const sink = pipe.writable.getWriter();
    const put = writer.put("slow", pipe.readable);
    await sink.write(new TextEncoder().encode("slow "));
    const [name] = await unfinished(directory);
    assert(name !== undefined);

    const other = await openFileObjectStore({ directory });
    await sink.write(new TextEncoder().encode("client"));
    await sink.close();
    await put;
    assertEquals(await textOf(other, "slow"), "slow client");
    assertEquals(await unfinished(directory), []);
    await other.close();
    await writer.close();
  },
);

storeTest(
  "deleting the last object of a folder removes it",
  async (directory) => {
    const store = await openFileObjectStore({ directory });
    await store.put("a/b/c", new Blob(["1"]).stream());
    await store.put("a/d", new Blob(["2"]).stream());
    await store.delete("a/b/c");
    assertEquals(await namesIn(`${directory}/objects/a=`), ["d"]);
    await store.delete("a/d");
    assertEquals(await namesIn(`${directory}/objects`), []);
    await store.close();
  },
);

storeTest(
  "puts and deletes in one folder do not disturb",
  async (directory) => {
    const store = await openFileObjectStore({ directory });
    await Promise.all(Array.from({ length: 40 }, async (_, index) => {
      const key = `shared/${index}`;
      await store.put(key, new Blob([key]).stream());
      await store.delete(key);
    }));
    assertEquals(await Array.fromAsync(store.list("")), []);
    await store.close();
  },
);

storeTest("a folder that cannot be used says so", async (directory) => {
  await Deno.writeTextFile(`${directory}/file`, "");
  const error = await assertRejects(
    () => openFileObjectStore({ directory: `${directory}/file` }),
    GatewayError,
  );
  assertEquals(error.failure.kind, "upstream_unavailable");
  assert(error.message.includes("FINOPS_DATA_DIR"), error.message);
});

Deno.test({
  name: "toStoreFailure() tells a full disk",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // Linux's device that is always full.
    using file = await Deno.open("/dev/full", { write: true });
    const error = await assertRejects(() => file.write(new Uint8Array(1)));
    assertEquals(toStoreFailure(error).failure, { kind: "storage_full" });
  },
});

// ------------------------------------------------------------------ steps

/** Starts a process that begins to write an object, and kills it then. */
async function killWriter(directory: string): Promise<void> {
  const script = `
    import { openFileObjectStore } from "${new URL(
    "file_store.ts",
    import.meta.url,
  )}";
    const store = await openFileObjectStore({ directory: Deno.args[0] });
    await store.put("never", new ReadableStream({
      async pull(controller) {
        controller.enqueue(new Uint8Array(100_000));
        await Deno.stdout.write(new Uint8Array([46]));
        await new Promise((resolve) => setTimeout(resolve, 10));
      },
    }));
  `;
  const path = `${directory}/writer.ts`;
  await Deno.writeTextFile(path, script);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", path, directory],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  for (let count = 0; count < 3; count++) await reader.read();
  child.kill("SIGKILL");
  await reader.cancel();
  await child.status;
  await Deno.remove(path);
}

async function makeOld(path: string): Promise<void> {
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await Deno.utime(path, anHourAgo, anHourAgo);
}

function unfinished(directory: string): Promise<string[]> {
  return namesIn(`${directory}/unfinished`);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

async function textOf(
  store: ObjectStore,
  key: string,
): Promise<string> {
  return await new Response(await store.open(key)).text();
}
