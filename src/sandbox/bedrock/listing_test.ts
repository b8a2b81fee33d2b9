import { assert, assertEquals } from "@std/assert";
import {
  GetModelInvocationJobCommand,
  ListModelInvocationJobsCommand,
  type ListModelInvocationJobsCommandInput,
} from "@aws-sdk/client-bedrock";
import { createJob, jobNames, simulatorTest } from "./simulator_fixture.ts";

simulatorTest("the list filters by name, status and time", async (fixture) => {
  const { bedrock } = fixture;
  for (const jobName of ["alpha-1", "beta-1", "alpha-2"]) {
    await createJob(bedrock, { jobName });
  }
  const list = (input: ListModelInvocationJobsCommandInput) =>
    jobNames(bedrock, input);
  assertEquals(await list({}), ["alpha-2", "beta-1", "alpha-1"]);
  assertEquals(await list({ sortBy: "CreationTime", sortOrder: "Ascending" }), [
    "alpha-1",
    "beta-1",
    "alpha-2",
  ]);
  assertEquals(await list({ nameContains: "alpha" }), ["alpha-2", "alpha-1"]);
  assertEquals(await list({ nameContains: "gamma" }), []);
  assertEquals((await list({ statusEquals: "Submitted" })).length, 3);
  assertEquals(await list({ statusEquals: "Completed" }), []);
  const past = new Date(Date.now() - 3_600_000);
  const future = new Date(Date.now() + 3_600_000);
  assertEquals((await list({ submitTimeAfter: past })).length, 3);
  assertEquals(await list({ submitTimeBefore: past }), []);
  assertEquals(await list({ submitTimeAfter: future }), []);
  assertEquals(
    await list({
      submitTimeAfter: past,
      submitTimeBefore: future,
      nameContains: "beta",
      statusEquals: "Submitted",
    }),
    ["beta-1"],
  );
}, { paceMs: 60_000 });

for (const sortOrder of ["Ascending", "Descending"] as const) {
  simulatorTest(`${sortOrder} pages hold each job once`, async (fixture) => {
    const { bedrock } = fixture;
    const names = ["n1", "n2", "n3", "n4", "n5"];
    for (const jobName of names) await createJob(bedrock, { jobName });
    const found: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await bedrock.send(
        new ListModelInvocationJobsCommand({
          sortOrder,
          maxResults: 2,
          nextToken,
        }),
      );
      const summaries = page.invocationJobSummaries ?? [];
      assert(summaries.length <= 2);
      found.push(...summaries.map(({ jobName }) => jobName ?? ""));
      nextToken = page.nextToken;
      // A job that arrives meanwhile must not shift the pages.
      if (sortOrder === "Descending") await createJob(bedrock);
    } while (nextToken !== undefined);
    const want = sortOrder === "Ascending" ? names : names.toReversed();
    assertEquals(found, want);
  }, { paceMs: 60_000 });
}

for (
  const query of [
    "maxResults=0",
    "maxResults=1001",
    "maxResults=x",
    "statusEquals=Done",
    "sortBy=Name",
    "sortOrder=Up",
    "submitTimeAfter=yesterday",
    "nextToken=nonsense",
  ]
) {
  simulatorTest(`the list refuses ${query}`, async ({ url }) => {
    const response = await fetch(`${url}/model-invocation-jobs?${query}`, {
      headers: { authorization: "any" },
    });
    assertEquals(response.status, 400);
    assertEquals(
      response.headers.get("x-amzn-errortype"),
      "ValidationException",
    );
    assert((response.headers.get("x-amzn-requestid") ?? "") !== "");
    const { message } = await response.json();
    assertEquals(typeof message, "string");
  });
}

simulatorTest("a list takes microseconds, as boto3 sends", async ({ url }) => {
  const query = "submitTimeAfter=2026-01-02T03%3A04%3A05.678901Z";
  const response = await fetch(`${url}/model-invocation-jobs?${query}`, {
    headers: { authorization: "any" },
  });
  assertEquals(await response.json(), { invocationJobSummaries: [] });
});

simulatorTest("a new job is listed only after the delay", async (fixture) => {
  const { bedrock } = fixture;
  const arn = await createJob(bedrock);
  assertEquals(await jobNames(bedrock, {}), []);
  const job = await bedrock.send(
    new GetModelInvocationJobCommand({ jobIdentifier: arn }),
  );
  assertEquals(job.jobArn, arn);
}, { listDelayMs: 600_000 });
