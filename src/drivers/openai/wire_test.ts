import { assertEquals, assertThrows } from "@std/assert";
import type { RemoteBatch, RemoteFile } from "../../domain/driver.ts";
import {
  parseBatch,
  parseFile,
  toRemoteBatch,
  toRemoteFile,
  tryParseBatch,
  tryParseFile,
  tryParseModelId,
} from "./wire.ts";

/** As the API reference shows it. */
const FILE = {
  id: "file-abc123",
  object: "file",
  bytes: 120000,
  created_at: 1677610602,
  expires_at: 1677614202,
  filename: "salesOverview.jsonl",
  purpose: "batch",
  status: "processed",
};

const BATCH = {
  id: "batch_abc123",
  object: "batch",
  endpoint: "/v1/completions",
  model: "gpt-5-2025-08-07",
  errors: null,
  input_file_id: "file-in",
  completion_window: "24h",
  status: "completed",
  output_file_id: "file-out",
  error_file_id: "file-err",
  created_at: 1711471533,
  in_progress_at: 1711471538,
  expires_at: 1711557933,
  finalizing_at: 1711493133,
  completed_at: 1711493163,
  failed_at: null,
  expired_at: null,
  cancelling_at: null,
  cancelled_at: null,
  request_counts: { total: 100, completed: 95, failed: 5 },
  metadata: { finops_job_id: "abcdefghijkl", finops_job_name: "nightly" },
};

function fileOf(change: object): RemoteFile {
  return toRemoteFile(parseFile({ ...FILE, ...change }));
}

function batchOf(change: object): RemoteBatch {
  return toRemoteBatch(parseBatch({ ...BATCH, ...change }));
}

Deno.test("toRemoteFile() reads the documented File", () => {
  assertEquals(fileOf({}), {
    id: "file-abc123",
    fileName: "salesOverview.jsonl",
    sizeBytes: 120000,
    createdAt: new Date(1677610602_000),
    expiresAt: new Date(1677614202_000),
    purpose: "input",
    state: "ready",
    downloadable: true,
  });
});

Deno.test("toRemoteFile() reads a File that has an id and nothing else", () => {
  assertEquals(toRemoteFile(parseFile({ id: "file-1" })), {
    id: "file-1",
    fileName: null,
    sizeBytes: 0,
    createdAt: new Date(0),
    expiresAt: null,
    purpose: "input",
    state: "ready",
    downloadable: true,
  });
});

for (
  const { purpose, want, downloadable } of [
    { purpose: "batch", want: "input", downloadable: true },
    { purpose: "batch_output", want: "output", downloadable: true },
    { purpose: "assistants", want: "other", downloadable: false },
    { purpose: "user_data", want: "other", downloadable: false },
  ]
) {
  Deno.test(`toRemoteFile() reads the purpose ${purpose}`, () => {
    const file = fileOf({ purpose });
    assertEquals([file.purpose, file.downloadable], [want, downloadable]);
  });
}

for (
  const { name, time, want } of [
    { name: "seconds", time: 1700000000, want: "2023-11-14T22:13:20.000Z" },
    { name: "fractions", time: 1700000000.5, want: "2023-11-14T22:13:20.500Z" },
    {
      name: "milliseconds",
      time: 1700000000123,
      want: "2023-11-14T22:13:20.123Z",
    },
    {
      name: "seconds as text",
      time: "1700000000",
      want: "2023-11-14T22:13:20.000Z",
    },
    {
      name: "ISO 8601",
      time: "2023-11-14T22:13:20Z",
      want: "2023-11-14T22:13:20.000Z",
    },
    { name: "nonsense", time: "soon", want: undefined },
  ]
) {
  Deno.test(`toRemoteFile() reads a time given as ${name}`, () => {
    assertEquals(fileOf({ expires_at: time }).expiresAt?.toISOString(), want);
  });
}

Deno.test("parseFile() and parseBatch() refuse what has no id", () => {
  for (const json of [null, "x", {}, { id: 5 }, { id: "" }]) {
    assertThrows(() => parseFile(json));
    assertThrows(() => parseBatch(json));
    assertEquals(tryParseFile(json), null);
    assertEquals(tryParseBatch(json), null);
    assertEquals(tryParseModelId(json), null);
  }
});

Deno.test("toRemoteBatch() reads the documented Batch", () => {
  assertEquals(batchOf({}), {
    id: "batch_abc123",
    status: "Completed",
    counts: { total: 100, processed: 100, succeeded: 95, failed: 5 },
    jobId: "abcdefghijkl",
    clientRequestToken: null,
    name: "nightly",
    modelId: "gpt-5-2025-08-07",
    endpoint: "/v1/completions",
    inputFileId: "file-in",
    outputFileIds: ["file-out", "file-err"],
    createdAt: new Date(1711471533_000),
    modifiedAt: new Date(1711493163_000),
    endedAt: new Date(1711493163_000),
    expiresAt: new Date(1711557933_000),
    message: null,
    bedrock: null,
  });
});

Deno.test("toRemoteBatch() reads a Batch that has an id and a status alone", () => {
  const batch = toRemoteBatch(
    parseBatch({ id: "batch_1", status: "validating" }),
  );
  assertEquals(batch.status, "Validating");
  assertEquals(batch.counts, null);
  assertEquals(batch.outputFileIds, []);
  assertEquals(batch.jobId, null);
  assertEquals(batch.modifiedAt, null);
});

for (
  const { status, completed, want } of [
    { status: "validating", completed: 0, want: "Validating" },
    { status: "failed", completed: 0, want: "Failed" },
    { status: "in_progress", completed: 1, want: "InProgress" },
    { status: "finalizing", completed: 9, want: "InProgress" },
    { status: "completed", completed: 9, want: "Completed" },
    { status: "expired", completed: 1, want: "PartiallyCompleted" },
    { status: "expired", completed: 0, want: "Expired" },
    { status: "cancelling", completed: 1, want: "Stopping" },
    { status: "cancelled", completed: 1, want: "Stopped" },
    { status: "canceled", completed: 1, want: "Stopped" },
    { status: "IN_PROGRESS", completed: 1, want: "InProgress" },
    { status: "rebalancing", completed: 1, want: "InProgress" },
  ]
) {
  Deno.test(`toRemoteBatch() reads ${status} with ${completed} done as ${want}`, () => {
    const counts = { total: 9, completed, failed: 0 };
    assertEquals(batchOf({ status, request_counts: counts }).status, want);
  });
}

Deno.test("toRemoteBatch() has no counts until the input is validated", () => {
  const none = { total: 0, completed: 0, failed: 0 };
  const counts = batchOf({ status: "validating", request_counts: none }).counts;
  assertEquals(counts, null);
  const failed = batchOf({ status: "failed", request_counts: none }).counts;
  assertEquals(failed?.total, 0);
});

Deno.test("toRemoteBatch() tells what was wrong with the input", () => {
  const data = [
    { code: "invalid_json_line", message: "Not JSON.", line: 3, param: null },
    { code: "duplicate_custom_id", message: "Twice.", line: null },
  ];
  assertEquals(
    batchOf({ status: "failed", errors: { object: "list", data } }).message,
    "line 3: Not JSON. (invalid_json_line); Twice. (duplicate_custom_id)",
  );
});

Deno.test("toRemoteBatch() bounds what it tells of many errors", () => {
  const data = Array.from({ length: 500 }, (_, line) => ({
    code: "x",
    message: "y".repeat(500),
    line,
  }));
  const message = batchOf({ status: "failed", errors: { data } }).message;
  assertEquals(message?.length, 2000);
  const short = data.map((error) => ({ ...error, message: "y" }));
  const told = batchOf({ status: "failed", errors: { data: short } }).message;
  assertEquals(told?.split("; ").length, 11);
  assertEquals(told?.split("; ").at(-1), "and 490 more");
});

Deno.test("toRemoteBatch() takes members of other types for absent", () => {
  const batch = batchOf({
    request_counts: "many",
    errors: ["x"],
    metadata: [],
    output_file_id: 7,
    created_at: {},
  });
  assertEquals(batch.counts, null);
  assertEquals(batch.message, null);
  assertEquals(batch.jobId, null);
  assertEquals(batch.outputFileIds, ["file-err"]);
  assertEquals(batch.createdAt, new Date(0));
});
