import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../src/domain/bytes.ts";
import type {
  BatchApi,
  BatchInput,
  BatchOrder,
  DriverCall,
  FileStorage,
  ObjectStorage,
  ProviderDriver,
  RemoteBatch,
} from "../src/domain/driver.ts";
import {
  type FailureKind,
  GatewayError,
  isOutcomeUnknown,
} from "../src/domain/failure.ts";
import { isTerminal } from "../src/domain/job_status.ts";
import {
  type BatchFixture,
  DRIVER_FIXTURES,
  type FaultRoute,
  type RunningFixture,
} from "./support/driver_fixtures.ts";

/** What `ProviderDriver` promises, asked of every driver. */

const RECORD_COUNT = 7;
const POLLS_MAX = 400;
const POLL_MS = 10;

for (const fixture of DRIVER_FIXTURES) {
  const { provider } = fixture;
  const test = (
    name: string,
    check: (running: RunningFixture) => Promise<void>,
  ): void =>
    Deno.test(`${provider} driver: ${name}`, async () => {
      await using running = await fixture.start();
      await check(running);
    });

  test("says whose it is", async ({ driver }) => {
    assertEquals(driver.provider, provider);
    await driver.probe(newCall());
  });
  test("models are listed and found, also by ARN", checkModels);
  test("an unknown model is no_such_resource", checkUnknownModel);
  test("refused credentials are access_denied, and stay secret", checkStranger);
  test("a rate limit names the provider's wait", checkRateLimit);
  test("a 5xx, and a cut connection, are upstream failures", checkOutage);
  test("a read outlives one failure", checkRetriedRead);
  test("the call's signal ends a request", checkAbort);

  test("a file is stored, listed, read and deleted", withFiles(checkFile));
  test("a file of many chunks comes back whole", withFiles(checkLargeFile));
  test("a body that errors leaves no file", withFiles(checkBrokenBody));
  test("a body of another length leaves no file", withFiles(checkOddBody));
  test("an unknown file is no_such_key", withFiles(checkUnknownFile));
  test("objects are stored, headed, listed, deleted", withObjects(checkObject));

  test("a batch answers each record once", withBatches(checkBatch));
  test("a batch is found again by its job id", withBatches(checkListed));
  test("a running batch stops, an ended one not", withBatches(checkStop));
  test("an unknown batch is no_such_job", withBatches(checkUnknownBatch));
  test("a cut start has an unknown outcome", withBatches(checkCutStart));
}

// --------------------------------------------------------------- sections

type Check = (running: RunningFixture) => Promise<void>;

function withFiles(
  check: (storage: FileStorage, running: RunningFixture) => Promise<void>,
): Check {
  return async (running) => {
    const { storage } = running.driver;
    if (storage.kind === "files") await check(storage, running);
    if (storage.kind === "none") assert(storage.reason.length > 0);
  };
}

function withObjects(
  check: (storage: ObjectStorage, fixture: BatchFixture) => Promise<void>,
): Check {
  return async ({ driver: { storage }, batch }) => {
    if (storage.kind !== "objects") return;
    await check(storage, present(batch));
  };
}

function withBatches(
  check: (
    batches: BatchApi,
    fixture: BatchFixture,
    running: RunningFixture,
  ) => Promise<void>,
): Check {
  return async (running) => {
    const { driver: { batches }, batch } = running;
    if (batches.kind === "none") return assert(batches.reason.length > 0);
    await check(batches, present(batch), running);
  };
}

// ----------------------------------------------------------------- models

async function checkModels({ driver, modelId }: RunningFixture): Promise<void> {
  const models = await driver.models.listModels(newCall());
  const listed = present(models.find((model) => model.modelId === modelId));
  assert(listed.outputModalities.includes("TEXT"));
  const ids = models.map((model) => model.modelId);
  assertEquals(new Set(ids).size, ids.length);

  assertEquals(await driver.models.getModel(newCall(), modelId), listed);
  const arn = listed.modelArn ??
    `arn:aws:bedrock:us-west-2::foundation-model/${modelId}`;
  assertEquals(await driver.models.getModel(newCall(), arn), listed);
}

async function checkUnknownModel({ driver }: RunningFixture): Promise<void> {
  for (const modelId of ["no-such-model", "..", "a/../b"]) {
    await assertFails(
      "no_such_resource",
      () => driver.models.getModel(newCall(), modelId),
    );
  }
}

// --------------------------------------------------------------- failures

async function checkStranger({ stranger }: RunningFixture): Promise<void> {
  const error = await assertFails(
    "access_denied",
    () => stranger.probe(newCall()),
  );
  assert(!/invalid-key|inva\*/i.test(error.message), error.message);
}

async function checkRateLimit(running: RunningFixture): Promise<void> {
  await injectFault(running, running.routes.probe, {
    times: 10,
    status: 429,
    headers: { "retry-after": "7" },
    body: { error: { message: "Slow down.", code: "rate_limit_exceeded" } },
  });
  const error = await assertFails(
    "rate_limited",
    () => running.driver.probe(newCall()),
  );
  assertEquals(error.failure, { kind: "rate_limited", retryAfterMs: 7000 });
}

async function checkOutage(running: RunningFixture): Promise<void> {
  const cases: readonly (readonly [object, FailureKind])[] = [
    [{ status: 500 }, "upstream_failed"],
    [{ status: 503 }, "upstream_unavailable"],
    [{ cut: "before" }, "upstream_unavailable"],
    [{ cut: "after" }, "upstream_unavailable"],
  ];
  for (const [fault, kind] of cases) {
    await injectFault(running, running.routes.probe, { ...fault, times: 20 });
    await assertFails(kind, () => running.driver.probe(newCall()));
    await forgetFaults(running);
  }
}

async function checkRetriedRead(running: RunningFixture): Promise<void> {
  await injectFault(running, running.routes.probe, { status: 503, times: 1 });
  await running.driver.probe(newCall());
}

async function checkAbort(running: RunningFixture): Promise<void> {
  await injectFault(running, running.routes.probe, {
    delayMs: 30_000,
    times: 10,
  });
  const call = newCall(AbortSignal.timeout(100));
  await assertFails("upstream_timeout", () => running.driver.probe(call));
}

// ------------------------------------------------------------------ files

async function checkFile(
  storage: FileStorage,
  { batch }: RunningFixture,
): Promise<void> {
  const bytes = toJsonLines(present(batch), 3);
  const file = await putFile(storage, "three.jsonl", bytes);
  assert(storage.isFileId(file.id), file.id);
  assertEquals(file.fileName, "three.jsonl");
  assertEquals(file.sizeBytes, bytes.byteLength);
  assertEquals(file.purpose, "input");
  assert(Math.abs(file.createdAt.getTime() - Date.now()) < 10_000);

  const found = await storage.getFile(newCall(), file.id);
  assertEquals({ ...found, state: "ready" }, { ...file, state: "ready" });
  assertEquals(await listFileIds(storage), [file.id]);
  if (file.downloadable) {
    const body = await storage.openFile(newCall(), file.id);
    assertEquals(await readBytes(body), bytes);
  } else {
    await assertFails(
      "invalid_object_state",
      () => storage.openFile(newCall(), file.id),
    );
  }

  await storage.deleteFile(newCall(), file.id);
  await storage.deleteFile(newCall(), file.id);
  assertEquals(await listFileIds(storage), []);
  await assertFails("no_such_key", () => storage.getFile(newCall(), file.id));
}

async function checkLargeFile(storage: FileStorage): Promise<void> {
  // Not a multiple of any chunk size, and sent in pieces that fit none.
  const bytes = new Uint8Array(17 * 1024 * 1024 + 12_345).fill(0x20);
  for (let index = 0; index < bytes.length; index += 997) bytes[index] = 0x0a;
  const file = await storage.putFile(
    newCall(),
    draftOf("large.jsonl", bytes.byteLength),
    inPieces(bytes, 100_003),
  );
  assertEquals(file.sizeBytes, bytes.byteLength);
  if (!file.downloadable) return;
  const body = await storage.openFile(newCall(), file.id);
  assert(equalBytes(await readBytes(body), bytes));
}

async function checkBrokenBody(storage: FileStorage): Promise<void> {
  const sizeBytes = 9 * 1024 * 1024;
  const digest = { kind: "bad_digest", algorithm: "md5" } as const;
  for (const afterBytes of [0, 100, sizeBytes]) {
    const body = inPieces(new Uint8Array(sizeBytes).fill(0x20), 64 * 1024)
      .pipeThrough(breakingAfter(afterBytes, new GatewayError(digest, "bad")));
    const error = await assertFails(
      "bad_digest",
      () => storage.putFile(newCall(), draftOf("x.jsonl", sizeBytes), body),
    );
    assertEquals(error.failure, digest);
  }
  assertEquals(await listFileIds(storage), []);
}

async function checkOddBody(storage: FileStorage): Promise<void> {
  for (const sizeBytes of [99, 101]) {
    const body = inPieces(new Uint8Array(100).fill(0x20), 10);
    await assertFails(
      "incomplete_body",
      () => storage.putFile(newCall(), draftOf("x.jsonl", sizeBytes), body),
    );
  }
  assertEquals(await listFileIds(storage), []);
}

async function checkUnknownFile(storage: FileStorage): Promise<void> {
  const file = await putFile(storage, "gone.jsonl", new Uint8Array([0x0a]));
  await storage.deleteFile(newCall(), file.id);
  for (const fileId of [file.id, "..", "a/../b", "x".repeat(300)]) {
    const calls = [
      () => storage.getFile(newCall(), fileId),
      () => storage.openFile(newCall(), fileId),
    ];
    for (const call of calls) await assertFails("no_such_key", call);
    await storage.deleteFile(newCall(), fileId);
  }
}

// ---------------------------------------------------------------- objects

async function checkObject(
  storage: ObjectStorage,
  fixture: BatchFixture,
): Promise<void> {
  const address = { bucket: fixture.bucket ?? "", key: "conform/a b+c.jsonl" };
  const bytes = toJsonLines(fixture, 3);
  await putObject(storage, address, bytes);
  const head = await storage.headObject(newCall(), address);
  assertEquals(head.sizeBytes, bytes.byteLength);
  assertEquals(
    await readBytes(await storage.openObject(newCall(), address)),
    bytes,
  );
  const range = { offsetBytes: 5, lengthBytes: 20 };
  assertEquals(
    await readBytes(await storage.openObject(newCall(), address, range)),
    bytes.subarray(5, 25),
  );
  const prefix = { bucket: address.bucket, key: "conform/" };
  const listed = await Array.fromAsync(storage.listObjects(newCall(), prefix));
  assertEquals(listed, [{ key: address.key, sizeBytes: bytes.byteLength }]);

  await forward(storage, "DELETE", address, null);
  await assertFails(
    "no_such_key",
    () => storage.headObject(newCall(), address),
  );
  await assertFails(
    "no_such_bucket",
    () => storage.openObject(newCall(), { ...address, bucket: "no-bucket-x" }),
  );
}

// ---------------------------------------------------------------- batches

async function checkBatch(
  batches: BatchApi,
  fixture: BatchFixture,
  running: RunningFixture,
): Promise<void> {
  const order = await newOrder(running, fixture, "whole");
  const started = await batches.startBatch(newCall(), order);
  assert(batches.isBatchId(started.id), started.id);
  assert(!isTerminal(started.status));

  const ended = await untilEnded(batches, started.id);
  assertEquals(ended.status, "Completed");
  assertEquals(ended.counts, {
    total: RECORD_COUNT,
    processed: RECORD_COUNT,
    succeeded: RECORD_COUNT,
    failed: 0,
  });
  assertEquals(ended.name, order.jobName);
  assert(ended.endedAt !== null && ended.endedAt >= ended.createdAt);

  const text = await readResults(running, batches, fixture, ended);
  assert(text.endsWith("\n"));
  const ids = text.trimEnd().split("\n")
    .map((line) => fixture.recordIdOf(JSON.parse(line)));
  assertEquals(ids.sort(), recordIds(RECORD_COUNT));
}

async function checkListed(
  batches: BatchApi,
  fixture: BatchFixture,
  running: RunningFixture,
): Promise<void> {
  const orders = [
    await newOrder(running, fixture, "first", 1),
    await newOrder(running, fixture, "second", 1),
  ];
  for (const order of orders) await batches.startBatch(newCall(), order);
  for (const order of orders) {
    const found = await findBatch(batches, order);
    assertEquals(found?.name, order.jobName);
    assertEquals(found?.bedrock === null, order.bedrock === null);
    if (order.input.kind === "file") {
      assertEquals(found?.inputFileId, order.input.fileId);
    }
  }
}

async function checkStop(
  batches: BatchApi,
  fixture: BatchFixture,
  running: RunningFixture,
): Promise<void> {
  const order = await newOrder(running, fixture, "stopped");
  const { id } = await batches.startBatch(newCall(), order);
  await batches.stopBatch(newCall(), id);
  const ended = await untilEnded(batches, id);
  assertEquals(ended.status, "Stopped");
  await assertFails("conflict", () => batches.stopBatch(newCall(), id));
}

async function checkUnknownBatch(
  batches: BatchApi,
  { unknownId }: BatchFixture,
): Promise<void> {
  for (const batchId of [unknownId, "..", "a/../b"]) {
    const calls = [
      () => batches.getBatch(newCall(), batchId),
      () => batches.stopBatch(newCall(), batchId),
    ];
    for (const call of calls) await assertFails("no_such_job", call);
  }
}

async function checkCutStart(
  batches: BatchApi,
  fixture: BatchFixture,
  running: RunningFixture,
): Promise<void> {
  const route = present(running.routes.startBatch);
  const order = await newOrder(running, fixture, "cut");
  await injectFault(running, route, { cut: "after", times: 1 });
  const callsBefore = await countCalls(running, route);
  const error = await assertRejects(
    () => batches.startBatch(newCall(), order),
    GatewayError,
  );
  assert(isOutcomeUnknown(error), error.failure.kind);
  // Bedrock's own token makes a second call safe; nothing else does.
  if (order.bedrock === null) {
    assertEquals(await countCalls(running, route), callsBefore + 1);
  }
  assert(await findBatch(batches, order) !== null);

  await injectFault(running, route, { status: 400, times: 1 });
  const refused = await assertRejects(
    () => batches.startBatch(newCall(), order),
    GatewayError,
  );
  assert(!isOutcomeUnknown(refused), refused.failure.kind);
}

// ------------------------------------------------------------------ steps

function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("missing");
  return value;
}

function objectsOf(storage: ProviderDriver["storage"]): ObjectStorage {
  if (storage.kind !== "objects") throw new Error("no object storage");
  return storage;
}

function newCall(signal = new AbortController().signal): DriverCall {
  return { requestId: crypto.randomUUID(), signal };
}

async function assertFails(
  kind: FailureKind,
  work: () => Promise<unknown>,
): Promise<GatewayError> {
  const error = await assertRejects(work, GatewayError);
  assertEquals(error.failure.kind, kind, error.message);
  return error;
}

async function injectFault(
  { faultsUrl }: RunningFixture,
  route: FaultRoute,
  fault: object,
): Promise<void> {
  const body = JSON.stringify([{ ...route, ...fault }]);
  const response = await fetch(faultsUrl, { method: "POST", body });
  assertEquals(response.status, 200, await response.text());
}

async function countCalls(
  { faultsUrl }: RunningFixture,
  route: FaultRoute,
): Promise<number> {
  const response = await fetch(new URL("/__calls", faultsUrl));
  const counts: Record<string, number> = await response.json();
  return Object.entries(counts)
    .filter(([name]) => name.startsWith(`${route.method} ${route.pathPrefix}`))
    .reduce((sum, [, count]) => sum + count, 0);
}

async function forgetFaults({ faultsUrl }: RunningFixture): Promise<void> {
  const response = await fetch(faultsUrl, { method: "DELETE" });
  await response.body?.cancel();
}

function recordIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `record-${index + 1}`);
}

function toJsonLines(fixture: BatchFixture, count: number): Uint8Array {
  const lines = recordIds(count).map((recordId) =>
    `${JSON.stringify(fixture.toInputLine(recordId))}\n`
  );
  return new TextEncoder().encode(lines.join(""));
}

function draftOf(
  fileName: string,
  sizeBytes: number,
): { fileName: string; sizeBytes: number; contentType: string } {
  return { fileName, sizeBytes, contentType: "application/jsonl" };
}

async function putFile(
  storage: FileStorage,
  fileName: string,
  bytes: Uint8Array,
): ReturnType<FileStorage["putFile"]> {
  const draft = draftOf(fileName, bytes.byteLength);
  return await storage.putFile(newCall(), draft, inPieces(bytes, 50));
}

async function listFileIds(storage: FileStorage): Promise<string[]> {
  const pages = await Array.fromAsync(storage.listFiles(newCall()));
  return pages.flat().map((file) => file.id);
}

async function putObject(
  storage: ObjectStorage,
  address: { readonly bucket: string; readonly key: string },
  bytes: Uint8Array,
): Promise<void> {
  await forward(storage, "PUT", address, bytes);
}

async function forward(
  storage: ObjectStorage,
  method: "PUT" | "DELETE",
  address: { readonly bucket: string; readonly key: string },
  bytes: Uint8Array | null,
): Promise<void> {
  const response = await storage.forward(newCall(), {
    method,
    bucket: address.bucket,
    rawKey: address.key.split("/").map(encodeURIComponent).join("/"),
    query: [],
    headers: {},
    body: bytes === null
      ? null
      : { stream: inPieces(bytes, 50), sizeBytes: bytes.byteLength },
  });
  await response.body?.cancel();
  assert(response.status < 300, `S3 answered ${response.status}`);
}

async function newOrder(
  running: RunningFixture,
  fixture: BatchFixture,
  jobName: string,
  recordCount = RECORD_COUNT,
): Promise<BatchOrder> {
  const fileName = `${jobName}.jsonl`;
  const bytes = toJsonLines(fixture, recordCount);
  return {
    jobId: newJobId(),
    jobName,
    modelId: running.modelId,
    input: await storeInput(running, fixture, fileName, bytes),
    endpoint: fixture.endpoint,
    bedrock: fixture.bedrock === null ? null : {
      ...fixture.bedrock,
      clientRequestToken: crypto.randomUUID(),
    },
  };
}

function newJobId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 12);
}

async function storeInput(
  { driver: { storage } }: RunningFixture,
  fixture: BatchFixture,
  fileName: string,
  bytes: Uint8Array,
): Promise<BatchInput> {
  if (storage.kind === "files") {
    const { id } = await putFile(storage, fileName, bytes);
    await untilReady(storage, id);
    return { kind: "file", fileId: id };
  }
  const address = { bucket: present(fixture.bucket), key: `input/${fileName}` };
  await putObject(objectsOf(storage), address, bytes);
  return { kind: "object", s3Uri: `s3://${address.bucket}/${address.key}` };
}

async function untilReady(storage: FileStorage, fileId: string): Promise<void> {
  for (let poll = 1; poll <= POLLS_MAX; poll++) {
    const file = await storage.getFile(newCall(), fileId);
    if (file.state === "ready") return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`The file ${fileId} did not become ready.`);
}

async function findBatch(
  batches: BatchApi,
  order: BatchOrder,
): Promise<RemoteBatch | null> {
  const token = order.bedrock?.clientRequestToken ?? null;
  for await (const page of batches.listBatches(newCall())) {
    const found = page.find((batch) =>
      token === null
        ? batch.jobId === order.jobId
        : batch.clientRequestToken === token
    );
    if (found !== undefined) return found;
  }
  return null;
}

async function untilEnded(
  batches: BatchApi,
  batchId: string,
): Promise<RemoteBatch> {
  for (let poll = 1; poll <= POLLS_MAX; poll++) {
    const batch = await batches.getBatch(newCall(), batchId);
    if (isTerminal(batch.status)) return batch;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`The batch ${batchId} did not end.`);
}

async function readResults(
  { driver }: RunningFixture,
  batches: BatchApi,
  fixture: BatchFixture,
  batch: RemoteBatch,
): Promise<string> {
  const decoder = new TextDecoder();
  if (batches.results === "collected") {
    const body = await batches.openResults(newCall(), batch);
    return decoder.decode(await readBytes(body));
  }
  const storage = objectsOf(driver.storage);
  const bucket = present(fixture.bucket);
  const outputUri = new URL(batch.bedrock?.outputUri ?? "");
  const prefix = { bucket, key: outputUri.pathname.slice(1) };
  let text = "";
  for await (const { key } of storage.listObjects(newCall(), prefix)) {
    if (!key.endsWith(".jsonl.out")) continue;
    const body = await storage.openObject(newCall(), { bucket, key });
    text += decoder.decode(await readBytes(body));
  }
  return text;
}

function inPieces(bytes: Uint8Array, pieceBytes: number): ByteStream {
  let offset = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller): void {
      if (offset >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + pieceBytes));
      offset += pieceBytes;
    },
  }, { highWaterMark: 0 });
}

/** Passes what comes, and errors after so many bytes, also at the very end. */
function breakingAfter(
  afterBytes: number,
  error: GatewayError,
): TransformStream<Uint8Array, Uint8Array> {
  let seenBytes = 0;
  return new TransformStream({
    transform(chunk, controller): void {
      if (seenBytes >= afterBytes) throw error;
      seenBytes += chunk.byteLength;
      controller.enqueue(chunk);
    },
    flush(): void {
      throw error;
    },
  });
}

async function readBytes(body: ByteStream): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** As `assertEquals`, for sizes at which that takes minutes. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength &&
    a.every((byte, index) => byte === b[index]);
}
