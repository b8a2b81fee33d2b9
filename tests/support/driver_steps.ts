import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../../src/domain/bytes.ts";
import type {
  BatchApi,
  BatchInput,
  BatchOrder,
  DriverCall,
  FileStorage,
  ObjectStorage,
  ProviderDriver,
  RemoteBatch,
} from "../../src/domain/driver.ts";
import { type FailureKind, GatewayError } from "../../src/domain/failure.ts";
import { isTerminal } from "../../src/domain/job_status.ts";
import type {
  BatchFixture,
  FaultRoute,
  RunningFixture,
} from "./driver_fixtures.ts";

/** What the driver conformance suite does again and again. */

/** How many records an order has where the suite does not say otherwise. */
export const RECORD_COUNT = 7;
const POLLS_MAX = 400;
const POLL_MS = 10;

export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("missing");
  return value;
}

function objectsOf(storage: ProviderDriver["storage"]): ObjectStorage {
  if (storage.kind !== "objects") throw new Error("no object storage");
  return storage;
}

export function newCall(signal = new AbortController().signal): DriverCall {
  return { requestId: crypto.randomUUID(), signal };
}

export async function assertFails(
  kind: FailureKind,
  work: () => Promise<unknown>,
): Promise<GatewayError> {
  const error = await assertRejects(work, GatewayError);
  assertEquals(error.failure.kind, kind, error.message);
  return error;
}

export async function injectFault(
  { faultsUrl }: RunningFixture,
  route: FaultRoute,
  fault: object,
): Promise<void> {
  const body = JSON.stringify([{ ...route, ...fault }]);
  const response = await fetch(faultsUrl, { method: "POST", body });
  assertEquals(response.status, 200, await response.text());
}

export async function countCalls(
  { faultsUrl }: RunningFixture,
  route: FaultRoute,
): Promise<number> {
  const response = await fetch(new URL("/__calls", faultsUrl));
  const counts: Record<string, number> = await response.json();
  return Object.entries(counts)
    .filter(([name]) => name.startsWith(`${route.method} ${route.pathPrefix}`))
    .reduce((sum, [, count]) => sum + count, 0);
}

export async function forgetFaults(
  { faultsUrl }: RunningFixture,
): Promise<void> {
  const response = await fetch(faultsUrl, { method: "DELETE" });
  await response.body?.cancel();
}

export function recordIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `record-${index + 1}`);
}

export function toJsonLines(fixture: BatchFixture, count: number): Uint8Array {
  const lines = recordIds(count).map((recordId) =>
    `${JSON.stringify(fixture.toInputLine(recordId))}\n`
  );
  return new TextEncoder().encode(lines.join(""));
}

export function draftOf(
  fileName: string,
  sizeBytes: number,
): { fileName: string; sizeBytes: number; contentType: string } {
  return { fileName, sizeBytes, contentType: "application/jsonl" };
}

export async function putFile(
  storage: FileStorage,
  fileName: string,
  bytes: Uint8Array,
): ReturnType<FileStorage["putFile"]> {
  const draft = draftOf(fileName, bytes.byteLength);
  return await storage.putFile(newCall(), draft, inPieces(bytes, 50));
}

export async function listFileIds(storage: FileStorage): Promise<string[]> {
  const pages = await Array.fromAsync(storage.listFiles(newCall()));
  return pages.flat().map((file) => file.id);
}

export async function putObject(
  storage: ObjectStorage,
  address: { readonly bucket: string; readonly key: string },
  bytes: Uint8Array,
): Promise<void> {
  await forward(storage, "PUT", address, bytes);
}

export async function forward(
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

export async function newOrder(
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

export async function findBatch(
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

export async function untilEnded(
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

export async function readResults(
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

export function inPieces(bytes: Uint8Array, pieceBytes: number): ByteStream {
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
export function breakingAfter(
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

export async function readBytes(body: ByteStream): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** As `assertEquals`, for sizes at which that takes minutes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength &&
    a.every((byte, index) => byte === b[index]);
}
