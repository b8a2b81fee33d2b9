import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  BedrockClient,
  CreateModelInvocationJobCommand,
  type CreateModelInvocationJobCommandInput,
  GetModelInvocationJobCommand,
  ListModelInvocationJobsCommand,
  ListTagsForResourceCommand,
  StopModelInvocationJobCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-bedrock";
import {
  type MemoryBatches,
  openJobHarness,
} from "../../tests/support/memory_provider.ts";
import { createAuthenticator } from "../auth/authenticator.ts";
import { JobService } from "../domain/jobs/job_service.ts";
import { below, createRouter } from "../http/router.ts";
import { handleControl } from "./handler.ts";

const ANYONE = {
  tenant: "default",
  accessKeyId: null,
  admin: true,
  providers: null,
  defaultProvider: null,
  buckets: [],
};

interface Stage {
  readonly url: string;
  readonly client: BedrockClient;
  readonly batches: MemoryBatches;
}

/** The front end behind a real server, called by the real SDK. */
function testControl(
  name: string,
  body: (stage: Stage) => Promise<void>,
): void {
  Deno.test(`control plane: ${name}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const { deps, batches } = openJobHarness(kv);
    const router = createRouter({
      routes: [{
        name: "bedrock",
        matches: below("/bedrock"),
        handle: (request, base) =>
          handleControl(request, base, {
            authenticator: createAuthenticator({
              credentials: [],
              anonymous: ANYONE,
            }),
            providers: deps.providers,
            jobs: new JobService(deps),
            defaultRegion: "us-west-2",
            log: deps.log,
          }),
      }],
      fallback: () => new Response(null, { status: 404 }),
      log: deps.log,
    });
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      router,
    );
    const url = `http://127.0.0.1:${server.addr.port}`;
    const client = new BedrockClient({
      region: "eu-west-1",
      endpoint: `${url}/bedrock`,
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
      maxAttempts: 1,
    });
    await body({ url, client, batches });
    client.destroy();
  });
}

const CREATE: CreateModelInvocationJobCommandInput = {
  jobName: "job-1",
  modelId: "gpt-4.1",
  roleArn: "not-required-for-openai",
  inputDataConfig: {
    s3InputDataConfig: {
      s3Uri: "s3://openai-files/file-1",
      s3InputFormat: "JSONL",
    },
  },
  outputDataConfig: { s3OutputDataConfig: { s3Uri: "s3://openai-output/" } },
  timeoutDurationInHours: 24,
  tags: [{ key: "team", value: "a" }],
};

testControl("a job comes back with everything it was given", async (t) => {
  const { jobArn } = await t.client.send(
    new CreateModelInvocationJobCommand(CREATE),
  );
  assertMatch(
    jobArn ?? "",
    /^arn:aws:bedrock:eu-west-1:\d{12}:model-invocation-job\/[a-z0-9]{12}$/,
  );
  const job = await t.client.send(
    new GetModelInvocationJobCommand({ jobIdentifier: jobArn }),
  );
  assertEquals(job.jobArn, jobArn);
  assertEquals(job.jobName, CREATE.jobName);
  assertEquals(job.modelId, CREATE.modelId);
  assertEquals(job.roleArn, CREATE.roleArn);
  assertEquals(job.inputDataConfig, CREATE.inputDataConfig);
  assertEquals(job.outputDataConfig, CREATE.outputDataConfig);
  assertEquals(job.timeoutDurationInHours, 24);
  assertEquals(job.status, "Validating");
  assert(job.submitTime instanceof Date);
  assertMatch(job.clientRequestToken ?? "", /^[0-9a-f-]{36}$/);
});

testControl("raw HTTP callers also read statistics", async (t) => {
  const { jobArn = "" } = await t.client.send(
    new CreateModelInvocationJobCommand(CREATE),
  );
  t.batches.change("batch_1", {
    status: "InProgress",
    counts: { total: 5, processed: 4, succeeded: 3, failed: 1 },
  });
  const path = `model-invocation-job/${encodeURIComponent(jobArn)}`;
  const response = await fetch(`${t.url}/bedrock/${path}`);
  const job = await response.json();
  assertEquals(job.statistics, {
    totalRecordCount: 5,
    successfulRecordCount: 3,
    failedRecordCount: 1,
  });
  assertEquals(job.processedRecordCount, 4);
  assert(response.headers.has("x-amzn-requestid"));
});

testControl("lists, stops and tags a job by its ARN", async (t) => {
  const { jobArn } = await t.client.send(
    new CreateModelInvocationJobCommand(CREATE),
  );
  const list = await t.client.send(
    new ListModelInvocationJobsCommand({
      nameContains: "job",
      submitTimeAfter: new Date(0),
      maxResults: 10,
    }),
  );
  assertEquals(list.invocationJobSummaries?.map((job) => job.jobArn), [jobArn]);
  await t.client.send(
    new TagResourceCommand({
      resourceARN: jobArn,
      tags: [{ key: "x", value: "1" }],
    }),
  );
  await t.client.send(
    new UntagResourceCommand({ resourceARN: jobArn, tagKeys: ["team"] }),
  );
  const { tags } = await t.client.send(
    new ListTagsForResourceCommand({ resourceARN: jobArn }),
  );
  assertEquals(tags, [{ key: "x", value: "1" }]);
  await t.client.send(
    new StopModelInvocationJobCommand({ jobIdentifier: jobArn }),
  );
  const job = await t.client.send(
    new GetModelInvocationJobCommand({ jobIdentifier: jobArn }),
  );
  assertEquals(job.status, "Stopping");
});

testControl("errors are the modelled exceptions", async (t) => {
  const cases = [
    {
      want: "ResourceNotFoundException",
      send: () =>
        t.client.send(
          new GetModelInvocationJobCommand({ jobIdentifier: "abcdefghijkl" }),
        ),
    },
    {
      want: "ValidationException",
      send: () =>
        t.client.send(
          new CreateModelInvocationJobCommand({ ...CREATE, jobName: "a b" }),
        ),
    },
    {
      want: "ValidationException",
      send: () =>
        t.client.send(
          new CreateModelInvocationJobCommand({
            ...CREATE,
            inputDataConfig: {
              s3InputDataConfig: { s3Uri: "s3://openai-files/absent" },
            },
          }),
        ),
    },
    {
      want: "ValidationException",
      send: () =>
        t.client.send(new ListModelInvocationJobsCommand({ maxResults: 0 })),
    },
  ];
  for (const { want, send } of cases) {
    const error = await assertRejects(send, Error);
    assertEquals(error.name, want);
  }
});

testControl(
  "an unknown provider is refused, naming the valid ones",
  async (t) => {
    const response = await fetch(`${t.url}/bedrock/model-invocation-jobs`, {
      headers: { "x-model-provider": "azure" },
    });
    assertEquals(response.status, 400);
    assertEquals(
      response.headers.get("x-amzn-errortype"),
      "ValidationException",
    );
    const { message } = await response.json();
    for (const name of ["azure", "bedrock", "openai", "gemini", "anthropic"]) {
      assertStringIncludes(message, name);
    }
  },
);

for (
  const { name, path, init, status, type } of [
    {
      name: "a path that is no operation",
      path: "guardrails",
      init: {},
      status: 404,
      type: "UnknownOperationException",
    },
    {
      name: "a body that is no JSON",
      path: "model-invocation-job",
      init: { method: "POST", body: "{" },
      status: 400,
      type: "SerializationException",
    },
    {
      name: "a body beyond its bound",
      path: "model-invocation-job",
      init: { method: "POST", body: `"${"x".repeat(50_000)}"` },
      status: 400,
      type: "ValidationException",
    },
    {
      name: "a JSON body that is no object",
      path: "model-invocation-job",
      init: { method: "POST", body: "[1]" },
      status: 400,
      type: "ValidationException",
    },
  ]
) {
  testControl(`${name} is a well-formed ${type}`, async (t) => {
    const response = await fetch(`${t.url}/bedrock/${path}`, init);
    assertEquals(response.status, status);
    assertEquals(response.headers.get("x-amzn-errortype"), type);
    assertEquals(typeof (await response.json()).message, "string");
  });
}
