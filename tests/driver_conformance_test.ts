import { assert, assertEquals, assertRejects } from "@std/assert";
import type {
  BatchApi,
  FileStorage,
  ObjectStorage,
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
  type RunningFixture,
} from "./support/driver_fixtures.ts";
import {
  assertFails,
  breakingAfter,
  countCalls,
  draftOf,
  equalBytes,
  findBatch,
  forgetFaults,
  forward,
  injectFault,
  inPieces,
  listFileIds,
  newCall,
  newOrder,
  present,
  putFile,
  putObject,
  readBytes,
  readResults,
  RECORD_COUNT,
  recordIds,
  toJsonLines,
  untilEnded,
} from "./support/driver_steps.ts";

/** What `ProviderDriver` promises, asked of every driver. */

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
