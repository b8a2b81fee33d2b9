import { assertEquals, assertThrows } from "@std/assert";
import type { RemoteBatch, RemoteFile } from "../../domain/driver.ts";
import {
  isBatchFile,
  parseBatch,
  parseBatchPage,
  parseFile,
  toLabel,
  toRemoteBatch,
  toRemoteFile,
} from "./wire.ts";

const FILE = {
  name: "files/abc-123",
  displayName: "input.jsonl",
  mimeType: "application/jsonl",
  sizeBytes: "120000",
  createTime: "2026-01-02T03:04:05.678901Z",
  updateTime: "2026-01-02T03:04:06Z",
  expirationTime: "2026-01-04T03:04:05.678901Z",
  sha256Hash: "eA==",
  uri: "https://example.com/v1beta/files/abc-123",
  state: "ACTIVE",
  source: "UPLOADED",
};

const OPERATION = {
  name: "batches/xyz789",
  metadata: {
    "@type": "type.googleapis.com/x.GenerateContentBatch",
    model: "models/gemini-2.5-flash",
    displayName: "nightly run finops:abcdefghijkl",
    state: "BATCH_STATE_SUCCEEDED",
    createTime: "2026-01-02T03:00:00Z",
    updateTime: "2026-01-02T04:00:00Z",
    endTime: "2026-01-02T04:00:01Z",
    inputConfig: { fileName: "files/input1" },
    batchStats: {
      requestCount: "10",
      successfulRequestCount: "7",
      failedRequestCount: "3",
    },
    output: { responsesFile: "files/batch-xyz789" },
  },
  done: true,
  response: { output: { responsesFile: "files/batch-xyz789" } },
};

function fileOf(change: object): RemoteFile {
  return toRemoteFile(parseFile({ ...FILE, ...change }));
}

function batchOf(metadata: object, operation: object = {}): RemoteBatch {
  return toRemoteBatch(parseBatch({
    ...OPERATION,
    ...operation,
    metadata: { ...OPERATION.metadata, ...metadata },
  }));
}

Deno.test("toRemoteFile() reads the documented File, bare or wrapped", () => {
  const want = {
    id: "abc-123",
    fileName: "input.jsonl",
    sizeBytes: 120000,
    createdAt: new Date("2026-01-02T03:04:05.678Z"),
    expiresAt: new Date("2026-01-04T03:04:05.678Z"),
    purpose: "input",
    state: "ready",
    downloadable: false,
  } as const;
  assertEquals(toRemoteFile(parseFile(FILE)), want);
  assertEquals(toRemoteFile(parseFile({ file: FILE })), want);
});

Deno.test("parseFile() refuses what has no name", () => {
  for (const json of [null, {}, { file: {} }, { name: 5 }]) {
    assertThrows(() => parseFile(json));
  }
});

for (
  const { name, change, purpose, listed } of [
    { name: "JSON Lines", change: {}, purpose: "input", listed: true },
    {
      name: "JSON",
      change: { mimeType: "application/json", displayName: "x" },
      purpose: "input",
      listed: true,
    },
    {
      name: "the guides' type",
      change: { mimeType: "jsonl", displayName: "x" },
      purpose: "input",
      listed: true,
    },
    {
      name: "text",
      change: { mimeType: "text/plain", displayName: "x" },
      purpose: "input",
      listed: true,
    },
    {
      name: "bytes named .jsonl",
      change: { mimeType: "application/octet-stream" },
      purpose: "input",
      listed: true,
    },
    {
      name: "an image",
      change: { mimeType: "image/png", displayName: "x.png" },
      purpose: "other",
      listed: false,
    },
    {
      name: "a batch's output",
      change: { source: "GENERATED", mimeType: "application/octet-stream" },
      purpose: "output",
      listed: true,
    },
    {
      name: "an output told by its download URI",
      change: { source: undefined, downloadUri: "https://example.com/x" },
      purpose: "output",
      listed: true,
    },
    {
      name: "a generated video",
      change: { source: "GENERATED", mimeType: "video/mp4" },
      purpose: "output",
      listed: false,
    },
  ]
) {
  Deno.test(`a file is known for ${name}`, () => {
    assertEquals(fileOf(change).purpose, purpose);
    assertEquals(fileOf(change).downloadable, purpose === "output");
    assertEquals(isBatchFile(parseFile({ ...FILE, ...change })), listed);
  });
}

for (
  const { state, want } of [
    { state: "PROCESSING", want: "processing" },
    { state: "ACTIVE", want: "ready" },
    { state: "FAILED", want: "failed" },
    { state: undefined, want: "ready" },
  ]
) {
  Deno.test(`toRemoteFile() reads the state ${state}`, () => {
    assertEquals(fileOf({ state }).state, want);
  });
}

Deno.test("toRemoteBatch() reads the documented Operation", () => {
  assertEquals(batchOf({}), {
    id: "xyz789",
    status: "Completed",
    counts: { total: 10, processed: 10, succeeded: 7, failed: 3 },
    jobId: "abcdefghijkl",
    clientRequestToken: null,
    name: "nightly run",
    modelId: "gemini-2.5-flash",
    endpoint: null,
    inputFileId: "input1",
    outputFileIds: ["batch-xyz789"],
    createdAt: new Date("2026-01-02T03:00:00Z"),
    modifiedAt: new Date("2026-01-02T04:00:00Z"),
    endedAt: new Date("2026-01-02T04:00:01Z"),
    expiresAt: new Date("2026-01-04T03:00:00Z"),
    message: null,
    bedrock: null,
  });
});

Deno.test("toRemoteBatch() finds the output wherever it stands", () => {
  const output = { output: undefined };
  for (
    const response of [
      { responsesFile: "files/out" },
      { output: { responsesFile: "files/out" } },
    ]
  ) assertEquals(batchOf(output, { response }).outputFileIds, ["out"]);
  assertEquals(batchOf(output, { response: undefined }).outputFileIds, []);
});

Deno.test("toRemoteBatch() reads a batch without an Operation around it", () => {
  const batch = toRemoteBatch(
    parseBatch({ name: "batches/1", state: "JOB_STATE_RUNNING" }),
  );
  assertEquals([batch.id, batch.status], ["1", "InProgress"]);
});

for (
  const { state, want } of [
    { state: "PENDING", want: "Scheduled" },
    { state: "RUNNING", want: "InProgress" },
    { state: "SUCCEEDED", want: "Completed" },
    { state: "FAILED", want: "Failed" },
    { state: "CANCELLED", want: "Stopped" },
    { state: "EXPIRED", want: "Expired" },
    { state: "SHINING", want: "InProgress" },
  ]
) {
  Deno.test(`toRemoteBatch() reads the state ${state} under either prefix`, () => {
    const running = { done: undefined };
    for (const prefix of ["BATCH_STATE_", "JOB_STATE_", ""]) {
      const batch = batchOf({ state: `${prefix}${state}` }, running);
      assertEquals(batch.status, want);
    }
  });
}

for (
  const { name, operation, want } of [
    { name: "nothing said", operation: { done: false }, want: "Submitted" },
    { name: "done", operation: { done: true }, want: "Completed" },
    {
      name: "done with an error",
      operation: { done: true, error: { code: 3, message: "Bad input." } },
      want: "Failed",
    },
  ]
) {
  Deno.test(`toRemoteBatch() goes without a state by ${name}`, () => {
    for (const state of [undefined, "BATCH_STATE_UNSPECIFIED"]) {
      assertEquals(batchOf({ state }, operation).status, want);
    }
  });
}

Deno.test("toRemoteBatch() tells why a batch failed", () => {
  const error = { code: 3, message: "Bad input." };
  const batch = batchOf({ state: "BATCH_STATE_FAILED" }, { error });
  assertEquals(batch.message, "Bad input.");
});

Deno.test("toRemoteBatch() takes counts that are left out for 0", () => {
  const batchStats = { requestCount: "4", pendingRequestCount: "4" };
  const state = "BATCH_STATE_RUNNING";
  assertEquals(batchOf({ state, batchStats }).counts, {
    total: 4,
    processed: 0,
    succeeded: 0,
    failed: 0,
  });
  assertEquals(batchOf({ state, batchStats: {} }).counts, null);
  assertEquals(batchOf({ state, batchStats: undefined }).counts, null);
});

Deno.test("a batch's label gives back the name and the job id", () => {
  for (const name of ["nightly", "a b finops:xxxxxxxxxxxx", "x-1"]) {
    const displayName = toLabel(name, "abcdefghijkl");
    const batch = batchOf({ displayName });
    assertEquals([batch.name, batch.jobId], [name, "abcdefghijkl"]);
  }
  const foreign = batchOf({ displayName: "made elsewhere finops:no" });
  assertEquals(
    [foreign.name, foreign.jobId],
    ["made elsewhere finops:no", null],
  );
});

Deno.test("parseBatchPage() reads pages, and leaves out what is no batch", () => {
  assertEquals(parseBatchPage({}), { batches: [], nextPageToken: null });
  const page = parseBatchPage({
    operations: [OPERATION, { broken: true }],
    nextPageToken: "t",
  });
  assertEquals(page.batches.length, 1);
  assertEquals(page.nextPageToken, "t");
});
