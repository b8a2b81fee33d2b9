import { assertEquals, assertFalse, assertRejects } from "@std/assert";
import { openJobHarness } from "../../../tests/support/memory_provider.ts";
import type { JobHarness } from "../../../tests/support/memory_provider.ts";
import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import { ADMIN_CALL as CALL } from "./job_request_fixture.ts";
import { jobRequest as request } from "./job_request_fixture.ts";
import { JobService } from "./job_service.ts";

const TENANT_CALL: CallContext = {
  ...CALL,
  principal: { ...CALL.principal, tenant: "other", admin: false },
};

const BY_NAME = { fallback: () => "openai" as const };

function testJobs(
  name: string,
  body: (harness: JobHarness & { jobs: JobService }) => Promise<void>,
): void {
  Deno.test(`jobs: ${name}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const harness = openJobHarness(kv);
    await body({ ...harness, jobs: new JobService(harness.deps) });
  });
}

testJobs("the same token and request give the same ARN", async (t) => {
  const first = await t.jobs.create(CALL, "openai", request());
  const second = await t.jobs.create(CALL, "openai", request());
  assertEquals(second.arn, first.arn);
  assertEquals(t.batches.calls.start, 1);
});

testJobs("concurrent repeats of one token start one batch", async (t) => {
  const jobs = await Promise.all(
    Array.from(
      { length: 10 },
      () => t.jobs.create(CALL, "openai", request()),
    ),
  );
  assertEquals(new Set(jobs.map(({ arn }) => arn)).size, 1);
  assertEquals(t.batches.batches.size, 1);
});

testJobs("the same token with another request is a conflict", async (t) => {
  await t.jobs.create(CALL, "openai", request());
  const other = request({ jobName: "job-2" });
  const error = await assertRejects(
    () => t.jobs.create(CALL, "openai", other),
    GatewayError,
  );
  assertEquals(error.failure.kind, "conflict");
});

testJobs(
  "tokens of two tenants have nothing to do with each other",
  async (t) => {
    const first = await t.jobs.create(CALL, "openai", request());
    const second = await t.jobs.create(TENANT_CALL, "openai", request());
    assertFalse(first.arn === second.arn);
  },
);

testJobs("a refusal leaves nothing behind and frees the token", async (t) => {
  t.batches.fate = "refuse";
  await assertRejects(() => t.jobs.create(CALL, "openai", request()));
  t.batches.fate = "answer";
  const job = await t.jobs.create(CALL, "openai", request());
  assertEquals(job.status, "Validating");
  assertEquals(t.batches.batches.size, 1);
});

testJobs(
  "a lost answer is joined to its batch, never sent again",
  async (t) => {
    t.batches.fate = "lose_answer";
    await assertRejects(() => t.jobs.create(CALL, "openai", request()));
    t.batches.fate = "answer";
    const retried = await t.jobs.create(CALL, "openai", request());
    assertEquals(retried.status, "Submitted");
    const seen = await t.jobs.get(CALL, {
      identifier: retried.arn,
      ...BY_NAME,
    });
    assertEquals(seen.status, "Validating");
    assertEquals(seen.batchId, "batch_1");
    assertEquals(t.batches.calls.start, 1);
  },
);

testJobs("a lost request is sent again only after every lag", async (t) => {
  t.batches.fate = "lose_request";
  await assertRejects(() => t.jobs.create(CALL, "openai", request()));
  t.batches.fate = "answer";
  t.clock.advance(60_000);
  await t.jobs.reconcile("openai");
  assertEquals(t.batches.batches.size, 0);
  t.clock.advance(120_000);
  await t.jobs.reconcile("openai");
  assertEquals(t.batches.batches.size, 1);
  const job = await t.jobs.create(CALL, "openai", request());
  assertEquals(job.batchId, "batch_1");
});

testJobs("a batch that the list shows late is not doubled", async (t) => {
  t.batches.fate = "lose_answer";
  await assertRejects(() => t.jobs.create(CALL, "openai", request()));
  t.batches.hidden.add("batch_1");
  t.clock.advance(100_000);
  await t.jobs.reconcile("openai");
  t.batches.hidden.clear();
  t.clock.advance(100_000);
  await t.jobs.reconcile("openai");
  assertEquals(t.batches.calls.start, 1);
});

testJobs("results are collected before the end is shown", async (t) => {
  const job = await t.jobs.create(CALL, "openai", request());
  t.batches.resultLines = resultLine(200) + resultLine(400);
  t.batches.change("batch_1", {
    status: "Completed",
    counts: { total: 3, processed: 2, succeeded: 2, failed: 0 },
  });
  const ended = await t.jobs.get(CALL, { identifier: job.id, ...BY_NAME });
  assertEquals(ended.status, "Completed");
  assertEquals(ended.counts, {
    total: 3,
    processed: 2,
    succeeded: 1,
    failed: 1,
  });
  assertEquals(ended.tokens, { input: 6, output: 10 });
});

testJobs("an ended job asks the provider nothing", async (t) => {
  const job = await t.jobs.create(CALL, "openai", request());
  t.batches.change("batch_1", { status: "Failed", message: "bad line 1" });
  await t.jobs.get(CALL, { identifier: job.id, ...BY_NAME });
  const calls = { ...t.batches.calls };
  t.clock.advance(10_000);
  const ended = await t.jobs.get(CALL, { identifier: job.id, ...BY_NAME });
  assertEquals(ended.message, "bad line 1");
  assertEquals(t.batches.calls, calls);
});

testJobs("many polls of one job cost one read a second", async (t) => {
  const job = await t.jobs.create(CALL, "openai", request());
  const poll = () => t.jobs.get(CALL, { identifier: job.id, ...BY_NAME });
  await Promise.all(Array.from({ length: 20 }, poll));
  await poll();
  assertEquals(t.batches.calls.get, 1);
  t.clock.advance(1_000);
  await poll();
  assertEquals(t.batches.calls.get, 2);
});

testJobs("counts and status never move back", async (t) => {
  const job = await t.jobs.create(CALL, "openai", request());
  const poll = () => t.jobs.get(CALL, { identifier: job.id, ...BY_NAME });
  const counts = { total: 5, processed: 3, succeeded: 3, failed: 0 };
  t.batches.change("batch_1", { status: "InProgress", counts });
  await poll();
  t.batches.change("batch_1", {
    status: "Validating",
    counts: { ...counts, processed: 1, succeeded: 1 },
  });
  t.clock.advance(2_000);
  const seen = await poll();
  assertEquals(seen.status, "InProgress");
  assertEquals(seen.counts, counts);
});

testJobs("a stop is seen at once and refused after the end", async (t) => {
  const job = await t.jobs.create(CALL, "openai", request());
  const reference = { identifier: job.arn, ...BY_NAME };
  await t.jobs.stop(CALL, reference);
  assertEquals((await t.jobs.get(CALL, reference)).status, "Stopping");
  t.batches.change("batch_1", { status: "Stopped" });
  t.clock.advance(2_000);
  assertEquals((await t.jobs.get(CALL, reference)).status, "Stopped");
  const error = await assertRejects(
    () => t.jobs.stop(CALL, reference),
    GatewayError,
  );
  assertEquals(error.failure.kind, "conflict");
});

testJobs("another tenant's job does not exist", async (t) => {
  const job = await t.jobs.create(CALL, "openai", request());
  for (const identifier of [job.arn, job.id, "batch_1"]) {
    const reference = { identifier, ...BY_NAME };
    for (
      const call of [
        () => t.jobs.get(TENANT_CALL, reference),
        () => t.jobs.stop(TENANT_CALL, reference),
        () => t.jobs.tags(TENANT_CALL, reference),
      ]
    ) {
      const error = await assertRejects(call, GatewayError);
      assertEquals(error.failure.kind, "no_such_job");
    }
  }
});

testJobs(
  "a foreign batch is listed and read under one stable id",
  async (t) => {
    const { id } = t.batches.add({ name: "by hand", status: "InProgress" });
    const page = await t.jobs.list(CALL, "openai", query({}));
    assertEquals(page.jobs.map(({ request }) => request.jobName), ["by hand"]);
    const arn = page.jobs[0]?.arn ?? "";
    for (const identifier of [arn, id, arn.slice(-12)]) {
      const job = await t.jobs.get(CALL, { identifier, ...BY_NAME });
      assertEquals(job.arn, arn);
    }
    const hidden = await t.jobs.list(TENANT_CALL, "openai", query({}));
    assertEquals(hidden.jobs, []);
  },
);

testJobs("lists page through every job once, in both orders", async (t) => {
  const names = Array.from({ length: 7 }, (_, i) => `job-${i}`);
  for (const jobName of names) {
    const clientRequestToken = jobName;
    await t.jobs.create(
      CALL,
      "openai",
      request({ jobName, clientRequestToken }),
    );
    t.clock.advance(1_000);
  }
  for (const order of ["ascending", "descending"] as const) {
    const seen: string[] = [];
    let nextToken: string | null = null;
    do {
      const page = await t.jobs.list(
        CALL,
        "openai",
        query({ order, nextToken }),
      );
      seen.push(...page.jobs.map(({ request }) => request.jobName));
      nextToken = page.nextToken;
    } while (nextToken !== null);
    const want = order === "ascending" ? names : names.toReversed();
    assertEquals(seen, want);
  }
});

testJobs("list filters work together", async (t) => {
  const start = t.clock.now();
  for (const jobName of ["red-1", "red-2", "blue-1"]) {
    const clientRequestToken = jobName;
    await t.jobs.create(
      CALL,
      "openai",
      request({ jobName, clientRequestToken }),
    );
    t.clock.advance(60_000);
  }
  t.batches.change("batch_1", { status: "Failed" });
  const after = new Date(start.getTime() + 60_000);
  const cases = [
    { filter: { nameContains: "red" }, want: ["red-2", "red-1"] },
    { filter: { status: "Failed" }, want: ["red-1"] },
    { filter: { submittedAfter: after }, want: ["blue-1", "red-2"] },
    { filter: { submittedBefore: after }, want: ["red-2", "red-1"] },
    {
      filter: { nameContains: "red", submittedAfter: after },
      want: ["red-2"],
    },
  ] as const;
  for (const { filter, want } of cases) {
    const page = await t.jobs.list(CALL, "openai", query(filter));
    const names = page.jobs.map(({ request }) => request.jobName);
    assertEquals(names, [...want]);
  }
});

testJobs("tags are added, replaced, removed and bounded", async (t) => {
  const job = await t.jobs.create(
    CALL,
    "openai",
    request({ tags: [{ key: "a", value: "1" }] }),
  );
  const reference = { identifier: job.arn, ...BY_NAME };
  await t.jobs.tag(CALL, reference, [
    { key: "a", value: "2" },
    { key: "b", value: "3" },
  ]);
  await t.jobs.untag(CALL, reference, ["b", "absent"]);
  assertEquals(await t.jobs.tags(CALL, reference), [{ key: "a", value: "2" }]);
  const tooMany = Array.from({ length: 50 }, (_, i) => ({
    key: `k${i}`,
    value: "",
  }));
  const error = await assertRejects(
    () => t.jobs.tag(CALL, reference, tooMany),
    GatewayError,
  );
  assertEquals(error.failure.kind, "too_many_tags");
});

function query(
  change: Partial<Parameters<JobService["list"]>[2]>,
): Parameters<JobService["list"]>[2] {
  return {
    status: null,
    nameContains: null,
    submittedAfter: null,
    submittedBefore: null,
    order: "descending",
    pageSize: 3,
    nextToken: null,
    ...change,
  };
}

function resultLine(status: number): string {
  const usage = { prompt_tokens: 3, completion_tokens: 5 };
  const response = { status_code: status, body: { usage } };
  return `${JSON.stringify({ custom_id: "a", response, error: null })}\n`;
}
