import { assert, assertEquals } from "@std/assert";
import type {
  FileIndex,
  NamedFile,
  StoredFile,
} from "../domain/files/file_index.ts";
import type { Versioned } from "../domain/versioned.ts";
import { createFileIndex } from "./file_index.ts";

const BUCKET = "files";
const ALL = { kind: "all" } as const;
const EVERYTHING = { prefix: "", after: "" };

function fileOf(
  key: string,
  fileId: string,
  facts: Partial<NamedFile> = {},
): NamedFile {
  return {
    provider: "openai",
    fileId,
    tenant: "alpha",
    address: { bucket: BUCKET, key },
    heldBy: "provider",
    fileName: "input.jsonl",
    sizeBytes: 3,
    createdAt: new Date(0),
    expiresAt: null,
    storedAt: new Date(0),
    downloadable: true,
    format: "openai",
    headers: {
      contentType: null,
      contentEncoding: null,
      contentDisposition: null,
      contentLanguage: null,
      cacheControl: null,
      expires: null,
      metadata: {},
      checksums: {},
    },
    ...facts,
  };
}

function find(
  index: FileIndex,
  key: string,
): Promise<Versioned<StoredFile> | null> {
  return index.findByKey("alpha", "openai", { bucket: BUCKET, key });
}

async function keysOf(
  index: FileIndex,
  page: { prefix: string; after: string },
): Promise<string[]> {
  const entries = await Array.fromAsync(
    index.listByKey("alpha", "openai", { bucket: BUCKET, ...page }),
  );
  return entries.map(({ value }) => value.address?.key ?? "");
}

async function idsOf(
  entries: AsyncIterable<Versioned<StoredFile>>,
): Promise<string[]> {
  return (await Array.fromAsync(entries)).map(({ value }) => value.fileId);
}

function testIndex(
  name: string,
  body: (index: FileIndex) => Promise<void>,
): void {
  Deno.test(name, async () => {
    using kv = await Deno.openKv(":memory:");
    await body(createFileIndex(kv));
  });
}

testIndex("save() makes a file known by key and by id", async (index) => {
  const file = fileOf("a.jsonl", "file-1");
  const version = await index.save(file, null);
  assertEquals(await find(index, "a.jsonl"), {
    value: file,
    version: version ?? "",
  });
  assertEquals(await index.findById("openai", "file-1"), {
    stored: file,
    deletedAt: null,
  });
  assertEquals(await index.latestVersion("openai"), version);
});

testIndex(
  "save() changes nothing where the key has changed since",
  async (index) => {
    await index.save(fileOf("a", "file-1"), null);
    assertEquals(await index.save(fileOf("a", "file-2"), null), null);
    const first = await find(index, "a");
    assert(await index.save(fileOf("a", "file-3"), first));
    assertEquals(await index.save(fileOf("a", "file-4"), first), null);
    assertEquals((await find(index, "a"))?.value.fileId, "file-3");
    assertEquals((await index.findById("openai", "file-4")).stored, null);
  },
);

testIndex(
  "save() leaves the overwritten file known by its id alone",
  async (index) => {
    await index.save(fileOf("a", "file-1"), null);
    await index.save(fileOf("a", "file-2"), await find(index, "a"));
    const old = await index.findById("openai", "file-1");
    assertEquals(old.stored?.address, null);
    const scope = { kind: "tenant", tenant: "alpha" } as const;
    assertEquals(
      await idsOf(index.listById(scope, "openai", EVERYTHING)),
      ["file-1", "file-2"],
    );
  },
);

testIndex(
  "remove() forgets a file and its key, and remembers the deletion",
  async (index) => {
    await index.save(fileOf("a", "file-1"), null);
    await index.remove("openai", "file-1", null);
    assertEquals(await find(index, "a"), null);
    const trace = await index.findById("openai", "file-1");
    assertEquals(trace.stored, null);
    assert(trace.deletedAt !== null);
    assertEquals(await idsOf(index.listById(ALL, "openai", EVERYTHING)), []);
    const deleted = await Array.fromAsync(
      index.listDeleted("openai", EVERYTHING),
    );
    assertEquals(deleted.map(({ fileId }) => fileId), ["file-1"]);
  },
);

testIndex(
  "remove() of an overwritten file leaves the key alone",
  async (index) => {
    await index.save(fileOf("a", "file-1"), null);
    const known = await find(index, "a");
    await index.save(fileOf("a", "file-2"), known);
    await index.remove("openai", "file-1", known?.value ?? null);
    assertEquals((await find(index, "a"))?.value.fileId, "file-2");
  },
);

testIndex("remove() remembers a file that nobody put", async (index) => {
  await index.remove("openai", "file-native", null);
  const { deletedAt } = await index.findById("openai", "file-native");
  assert(deletedAt !== null);
});

testIndex(
  "of racing writes of one key, one wins each round and none is lost",
  async (index) => {
    async function put(fileId: string): Promise<void> {
      for (;;) {
        const previous = await find(index, "a");
        if (await index.save(fileOf("a", fileId), previous)) return;
      }
    }
    const ids = Array.from({ length: 20 }, (_, i) => `file-${i + 10}`);
    await Promise.all(ids.map(put));
    const files = await Array.fromAsync(
      index.listById(ALL, "openai", EVERYTHING),
    );
    assertEquals(files.map(({ value }) => value.fileId), ids);
    const named = files.filter(({ value }) => value.address !== null);
    assertEquals(
      named.map(({ value }) => value.fileId),
      [(await find(index, "a"))?.value.fileId],
    );
  },
);

testIndex(
  "every change has a greater version than those before it",
  async (index) => {
    const versions = [await index.latestVersion("openai")];
    for (let i = 0; i < 20; i++) {
      await index.save(fileOf(`key-${i}`, `file-${i}`), null);
      versions.push(await index.latestVersion("openai"));
    }
    await index.remove("openai", "file-0", null);
    versions.push(await index.latestVersion("openai"));
    assertEquals(versions, [...new Set(versions)].sort());
  },
);

testIndex("listById() keeps tenants and providers apart", async (index) => {
  await index.save(fileOf("a", "file-1"), null);
  await index.save(fileOf("a", "file-2", { tenant: "beta" }), null);
  await index.save(fileOf("a", "file-3", { provider: "gemini" }), null);
  const beta = { kind: "tenant", tenant: "beta" } as const;
  assertEquals(
    await idsOf(index.listById(beta, "openai", EVERYTHING)),
    ["file-2"],
  );
  assertEquals(
    await idsOf(index.listById(ALL, "openai", EVERYTHING)),
    ["file-1", "file-2"],
  );
});

const KEYS = [
  "\0",
  "\u0001",
  "a",
  "a\0",
  "a\0b",
  "a ",
  "a/",
  "a/b",
  "a0",
  "b%2F",
  "\u007f",
  "\u0080",
  "é",
  "\u07ff",
  "日本",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10000}",
  "\u{1f600}",
  "\u{1f600}/x",
  "\u{10ffff}",
];

/** Of every prefix and start, what a plain filter over UTF-8 bytes gives. */
function expected(prefix: string, after: string): string[] {
  return KEYS.filter((key) => key.startsWith(prefix))
    .filter((key) => compareUtf8(key, after) > 0);
}

function compareUtf8(a: string, b: string): number {
  const [left, right] = [a, b].map((text) =>
    [...new TextEncoder().encode(text)]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("")
  );
  return left === right ? 0 : (left ?? "") < (right ?? "") ? -1 : 1;
}

testIndex(
  "listByKey() lists in UTF-8 order, with any prefix and after any key",
  async (index) => {
    for (const [i, key] of KEYS.toReversed().entries()) {
      await index.save(fileOf(key, `file-${i}`), null);
    }
    const starts = ["", "a", "a/", "zz", "\ue000", "\u{1f600}", ...KEYS];
    for (const prefix of ["", ...starts]) {
      for (const after of starts) {
        assertEquals(
          await keysOf(index, { prefix, after }),
          expected(prefix, after),
          JSON.stringify({ prefix, after }),
        );
      }
    }
  },
);

for (
  const { name, key } of [
    { name: "zero characters, which KV escapes", key: "\0".repeat(1024) },
    { name: "astral characters", key: "\u{10ffff}".repeat(256) },
    { name: "letters", key: "x".repeat(1024) },
  ]
) {
  testIndex(
    `S3's longest key is stored, found and listed: ${name}`,
    async (index) => {
      const address = { bucket: "b".repeat(255), key };
      const tenant = "t".repeat(256);
      await index.save(fileOf(key, "file-1", { address, tenant }), null);
      const found = await index.findByKey(tenant, "openai", address);
      assertEquals(found?.value.fileId, "file-1");
      const page = { bucket: address.bucket, prefix: key, after: "" };
      assertEquals(
        await idsOf(index.listByKey(tenant, "openai", page)),
        ["file-1"],
      );
    },
  );
}

testIndex(
  "a prefix or start longer than any key lists what it should",
  async (index) => {
    const key = "x".repeat(1024);
    await index.save(fileOf(key, "file-1"), null);
    const long = "x".repeat(5000);
    assertEquals(await keysOf(index, { prefix: long, after: "" }), []);
    assertEquals(await keysOf(index, { prefix: "", after: long }), []);
    assertEquals(
      await keysOf(index, { prefix: "", after: `w${long}` }),
      [key],
    );
    assertEquals(
      await keysOf(index, { prefix: "", after: "x".repeat(1023) }),
      [key],
    );
  },
);

Deno.test("a restart forgets nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/kv.sqlite`;
    {
      using kv = await Deno.openKv(path);
      await createFileIndex(kv).save(fileOf("a", "file-1"), null);
    }
    using kv = await Deno.openKv(path);
    const index = createFileIndex(kv);
    assertEquals((await find(index, "a"))?.value, fileOf("a", "file-1"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
