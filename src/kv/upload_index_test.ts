import { assert, assertEquals } from "@std/assert";
import type { NamedFile } from "../domain/files/file_index.ts";
import type { Upload, UploadPart } from "../domain/uploads/upload.ts";
import { newUploadId } from "../domain/uploads/upload_id.ts";
import type { UploadIndex } from "../domain/uploads/upload_index.ts";
import type { Versioned } from "../domain/versioned.ts";
import { createFileIndex } from "./file_index.ts";
import { createUploadIndex } from "./upload_index.ts";

const HEADERS = {
  contentType: null,
  contentEncoding: null,
  contentDisposition: null,
  contentLanguage: null,
  cacheControl: null,
  expires: null,
  metadata: {},
  checksums: {},
};

function uploadOf(facts: Partial<Upload> = {}): Upload {
  const initiatedAt = facts.initiatedAt ?? new Date();
  return {
    id: newUploadId(initiatedAt),
    tenant: "t",
    provider: "openai",
    bucket: "b",
    key: "k",
    headers: HEADERS,
    checksum: null,
    initiatedAt,
    state: { kind: "open" },
    strayUntil: null,
    ...facts,
  };
}

function partOf(partNumber: number, sizeBytes = 1): UploadPart {
  return {
    partNumber,
    storeKey: `uploads/x/${partNumber}.${crypto.randomUUID()}`,
    sizeBytes,
    etag: "e",
    modifiedAt: new Date(),
    checksums: {},
  };
}

function fileOf(upload: Upload, fileId: string): NamedFile {
  return {
    provider: upload.provider,
    fileId,
    tenant: upload.tenant,
    address: { bucket: upload.bucket, key: upload.key },
    heldBy: "provider",
    fileName: "f",
    sizeBytes: 1,
    createdAt: new Date(),
    expiresAt: null,
    storedAt: new Date(),
    downloadable: true,
    format: null,
    headers: HEADERS,
  };
}

function completed(upload: Upload): Upload {
  const result = { etag: "file-1", checksums: {} };
  return { ...upload, state: { kind: "completed", planDigest: "d", result } };
}

async function created(
  index: UploadIndex,
  facts: Partial<Upload> = {},
): Promise<Versioned<Upload>> {
  const upload = uploadOf(facts);
  await index.create(upload);
  const entry = await index.get(upload.id);
  if (entry === null) throw new Error("It was not created.");
  return entry;
}

function testIndex(
  name: string,
  run: (index: UploadIndex, kv: Deno.Kv) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const kv = await Deno.openKv(":memory:");
    try {
      await run(createUploadIndex(kv), kv);
    } finally {
      kv.close();
    }
  });
}

testIndex("an upload changes only from the version it is at", async (index) => {
  const first = await created(index);
  const changed = await index.update(first, first.value);
  if (changed === null) throw new Error("It was not updated.");
  assertEquals(await index.update(first, first.value), null);
  assert(!await index.remove(first));
  assert(await index.remove(changed));
  assertEquals(await index.get(first.value.id), null);
});

testIndex(
  "open uploads are counted and listed until they end",
  async (index) => {
    const page = { bucket: "b", prefix: "", afterKey: "", afterUploadId: "" };
    const list = () => Array.fromAsync(index.list("t", "openai", page));
    const one = await created(index);
    const two = await created(index);
    await created(index, { tenant: "other" });
    assertEquals(await index.countOpen("t"), 2);
    assertEquals((await list()).length, 2);
    await index.update(one, completed(one.value));
    assertEquals(await index.countOpen("t"), 1);
    assertEquals((await list()).map((it) => it.uploadId), [two.value.id]);
    await index.remove(two);
    assertEquals(await index.countOpen("t"), 0);
    assertEquals(await list(), []);
    assertEquals(await index.countOpen("other"), 1);
  },
);

testIndex(
  "unsettled uploads are those completing or with strays",
  async (index) => {
    const list = () => Array.fromAsync(index.listUnsettled());
    const open = await created(index);
    assertEquals(await list(), []);
    const state = {
      kind: "completing",
      claimId: "c",
      deadlineAt: new Date(),
      seal: null,
    } as const;
    const completing = await index.update(open, { ...open.value, state });
    assertEquals(await list(), [open.value.id]);
    if (completing === null) throw new Error("It was not updated.");
    const strayUntil = new Date();
    const ended = { ...completed(open.value), strayUntil };
    const strayed = await index.update(completing, ended);
    assertEquals(await list(), [open.value.id]);
    if (strayed === null) throw new Error("It was not updated.");
    await index.update(strayed, { ...ended, strayUntil: null });
    assertEquals(await list(), []);
  },
);

testIndex(
  "forgetUnsettled() forgets only where there is no upload",
  async (index, kv) => {
    await kv.set(["upload_unsettled", "gone"], "gone");
    await index.forgetUnsettled("gone");
    assertEquals(await Array.fromAsync(index.listUnsettled()), []);
    const upload = await created(index, { strayUntil: new Date() });
    await index.forgetUnsettled(upload.value.id);
    assertEquals(
      await Array.fromAsync(index.listUnsettled()),
      [upload.value.id],
    );
  },
);

testIndex(
  "complete() names the file in the same write, or does neither",
  async (index, kv) => {
    const files = createFileIndex(kv);
    const address = { bucket: "b", key: "k" };
    const upload = await created(index);
    const next = completed(upload.value);
    const file = fileOf(upload.value, "file-1");
    const other = await files.save(fileOf(upload.value, "file-0"), null);
    assertEquals(
      await index.complete(upload, next, file, null),
      { kind: "target_changed" },
    );
    assertEquals((await index.get(upload.value.id))?.value.state.kind, "open");
    const before = await files.findByKey("t", "openai", address);
    assertEquals(before?.version, other);
    const touched = await index.update(upload, upload.value);
    assertEquals(
      await index.complete(upload, next, file, before),
      { kind: "upload_changed" },
    );
    assertEquals((await files.findById("openai", "file-1")).stored, null);
    if (touched === null) throw new Error("It was not updated.");
    const written = await index.complete(touched, next, file, before);
    assertEquals(written.kind, "done");
    const named = await files.findByKey("t", "openai", address);
    assertEquals(named?.value.fileId, "file-1");
  },
);

testIndex(
  "a part counts only in an upload that has not changed",
  async (index) => {
    const upload = await created(index);
    const { id } = upload.value;
    const part = partOf(1, 5);
    assertEquals((await index.putPart(upload, part, null)).kind, "done");
    assertEquals(
      await index.putPart(upload, partOf(1), null),
      { kind: "target_changed" },
    );
    const replaced = await index.getPart(id, 1);
    assertEquals(replaced?.value, part);
    assertEquals(
      (await index.putPart(upload, partOf(1, 2), replaced)).kind,
      "done",
    );
    assertEquals(await index.partBytes(id), 2);
    await index.update(upload, completed(upload.value));
    assertEquals(
      await index.putPart(upload, partOf(2), null),
      { kind: "upload_changed" },
    );
  },
);

testIndex("parts are removed with the count of their bytes", async (index) => {
  const upload = await created(index);
  const { id } = upload.value;
  for (const number of [3, 1, 2]) {
    await index.putPart(upload, partOf(number, 7), null);
  }
  assertEquals(await index.partBytes(id), 21);
  await index.removeParts(id, [1, 2, 3]);
  assertEquals(await Array.fromAsync(index.listParts(id, 0)), []);
  assertEquals(await index.partBytes(id), 0);
});

testIndex(
  "uploads are found by when they began, the oldest first",
  async (index) => {
    const at = (ms: number) => ({ initiatedAt: new Date(ms) });
    const second = await created(index, at(2000));
    const first = await created(index, at(1000));
    await created(index, at(3000));
    const found = index.listBegunBefore(new Date(3000));
    assertEquals(
      (await Array.fromAsync(found)).map(({ value }) => value.id),
      [first.value.id, second.value.id],
    );
  },
);

testIndex(
  "the longest key and the largest upload that S3 allows fit",
  async (index) => {
    const key = "\u0000".repeat(1024);
    const metadata = { m: "x".repeat(16_000) };
    const headers = { ...HEADERS, metadata };
    const upload = await created(index, {
      key,
      headers,
      bucket: "b".repeat(255),
    });
    assertEquals(await index.countOpen("t"), 1);
    const page = {
      bucket: upload.value.bucket,
      prefix: key,
      afterKey: key.slice(1),
      afterUploadId: "",
    };
    const listed = await Array.fromAsync(index.list("t", "openai", page));
    assertEquals(listed.length, 1);
  },
);
