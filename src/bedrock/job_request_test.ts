import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { parseCreateJob, parseListJobs } from "./job_request.ts";

const MINIMAL = {
  jobName: "job-1",
  modelId: "gpt-4.1",
  inputDataConfig: { s3InputDataConfig: { s3Uri: "s3://openai-files/file-1" } },
  outputDataConfig: { s3OutputDataConfig: { s3Uri: "s3://openai-output/" } },
};

Deno.test("parseCreateJob() needs no role, token, type or tags", () => {
  const request = parseCreateJob(MINIMAL);
  assertEquals(request.roleArn, null);
  assertEquals(request.clientRequestToken, null);
  assertEquals(request.modelInvocationType, null);
  assertEquals(request.tags, []);
});

Deno.test("parseCreateJob() keeps any roleArn", () => {
  for (const roleArn of ["", "not-required-for-openai", "arn:aws:iam::1:r/x"]) {
    assertEquals(parseCreateJob({ ...MINIMAL, roleArn }).roleArn, roleArn);
  }
});

Deno.test("parseCreateJob() takes model ids that Bedrock's pattern refuses", () => {
  for (const modelId of ["gpt-4.1", "models/gemini-2.5-flash", "ft:gpt-4o:x"]) {
    assertEquals(parseCreateJob({ ...MINIMAL, modelId }).modelId, modelId);
  }
});

const input = (s3InputDataConfig: unknown) => ({
  inputDataConfig: { s3InputDataConfig },
});

const REFUSALS: { name: string; change: Record<string, unknown> }[] = [
  { name: "jobName", change: { jobName: undefined } },
  { name: "jobName", change: { jobName: "a".repeat(64) } },
  { name: "jobName", change: { jobName: "under_score" } },
  { name: "modelId", change: { modelId: "" } },
  { name: "modelId", change: { modelId: "a b" } },
  { name: "inputDataConfig", change: { inputDataConfig: {} } },
  { name: "s3Uri", change: input({ s3Uri: "http://b/k" }) },
  { name: "s3Uri", change: input({ s3Uri: "s3://" }) },
  { name: "s3Uri", change: input({ s3Uri: `s3://b/${"k".repeat(1024)}` }) },
  {
    name: "s3InputFormat",
    change: input({ s3Uri: "s3://b/k", s3InputFormat: "CSV" }),
  },
  {
    name: "timeoutDurationInHours",
    change: { timeoutDurationInHours: 23 },
  },
  {
    name: "timeoutDurationInHours",
    change: { timeoutDurationInHours: 24.5 },
  },
  { name: "modelInvocationType", change: { modelInvocationType: "Chat" } },
  { name: "clientRequestToken", change: { clientRequestToken: "a b" } },
  { name: "vpcConfig", change: { vpcConfig: { subnetIds: ["s"] } } },
  {
    name: "tags",
    change: {
      tags: Array.from({ length: 51 }, (_, i) => ({
        key: `k${i}`,
        value: "",
      })),
    },
  },
  {
    name: "tags",
    change: { tags: [{ key: "k", value: "1" }, { key: "k", value: "2" }] },
  },
  { name: "tags", change: { tags: [{ key: "", value: "1" }] } },
];

for (const { name, change } of REFUSALS) {
  const what = JSON.stringify(change).slice(0, 60);
  Deno.test(`parseCreateJob() refuses ${what}, naming ${name}`, () => {
    const error = assertThrows(
      () => parseCreateJob({ ...MINIMAL, ...change }),
      GatewayError,
    );
    assertStringIncludes(error.message, name);
  });
}

Deno.test("parseCreateJob() names several members at once", () => {
  const error = assertThrows(() => parseCreateJob({}), GatewayError);
  for (const member of ["jobName", "modelId", "inputDataConfig"]) {
    assertStringIncludes(error.message, member);
  }
});

Deno.test("parseListJobs() reads every filter as boto3 sends it", () => {
  assertEquals(
    parseListJobs([
      ["submitTimeAfter", "2026-01-02T03:04:05.678000Z"],
      ["submitTimeBefore", "2026-01-03T00:00:00Z"],
      ["statusEquals", "InProgress"],
      ["nameContains", "abc"],
      ["maxResults", "7"],
      ["nextToken", "t"],
      ["sortBy", "CreationTime"],
      ["sortOrder", "Ascending"],
    ]),
    {
      status: "InProgress",
      nameContains: "abc",
      submittedAfter: new Date("2026-01-02T03:04:05.678Z"),
      submittedBefore: new Date("2026-01-03T00:00:00Z"),
      order: "ascending",
      pageSize: 7,
      nextToken: "t",
    },
  );
});

for (
  const [name, value] of [
    ["maxResults", "0"],
    ["maxResults", "1001"],
    ["maxResults", "ten"],
    ["statusEquals", "Done"],
    ["sortBy", "Name"],
    ["sortOrder", "Up"],
    ["submitTimeAfter", "yesterday"],
    ["nameContains", ""],
    ["nameContains", "a".repeat(64)],
  ] as const
) {
  Deno.test(`parseListJobs() refuses ${name}=${value.slice(0, 20)}`, () => {
    const error = assertThrows(
      () => parseListJobs([[name, value]]),
      GatewayError,
    );
    assertStringIncludes(error.message, name);
  });
}
