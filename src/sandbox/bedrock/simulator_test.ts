import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  CreateModelInvocationJobCommand,
  type CreateModelInvocationJobCommandInput,
  GetFoundationModelCommand,
  GetModelInvocationJobCommand,
  ListFoundationModelsCommand,
  type ListFoundationModelsCommandInput,
  ListTagsForResourceCommand,
  StopModelInvocationJobCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-bedrock";
import {
  createJob,
  failureOf,
  jobInput,
  jobNames,
  simulatorTest,
} from "./simulator_fixture.ts";

const ARN_PATTERN =
  /^arn:aws:bedrock:us-west-2:[0-9]{12}:model-invocation-job\/[a-z0-9]{12}$/;

simulatorTest(
  "a job is told with all that it was given",
  async ({ bedrock }) => {
    const input = jobInput({
      clientRequestToken: "token-1",
      timeoutDurationInHours: 48,
      vpcConfig: { subnetIds: ["subnet-1"], securityGroupIds: ["sg-1"] },
    });
    const created = await bedrock.send(
      new CreateModelInvocationJobCommand(input),
    );
    assert(ARN_PATTERN.test(created.jobArn ?? ""));
    const job = await bedrock.send(
      new GetModelInvocationJobCommand({
        jobIdentifier: created.jobArn?.slice(-12),
      }),
    );
    const { jobArn, jobName, modelId, roleArn, clientRequestToken } = job;
    assertEquals({ jobArn, jobName, modelId, roleArn, clientRequestToken }, {
      jobArn: created.jobArn,
      jobName: input.jobName,
      modelId: input.modelId,
      roleArn: input.roleArn,
      clientRequestToken: "token-1",
    });
    assertEquals(job.vpcConfig, input.vpcConfig);
    assertEquals(job.inputDataConfig, input.inputDataConfig);
    assertEquals(job.outputDataConfig, input.outputDataConfig);
    assertEquals(job.timeoutDurationInHours, 48);
    assertEquals(job.modelInvocationType, "Converse");
  },
);

simulatorTest("a repeated token is the same job", async ({ bedrock }) => {
  const arn = await createJob(bedrock, { clientRequestToken: "same" });
  assertEquals(await createJob(bedrock, { clientRequestToken: "same" }), arn);
  const other = await failureOf(
    createJob(bedrock, { clientRequestToken: "same", jobName: "another" }),
  );
  assertEquals([other.name, other.status], ["ConflictException", 400]);
  assertEquals(await jobNames(bedrock, {}), ["my-job"]);
});

simulatorTest("ignoreTokens makes a job each time", async ({ bedrock }) => {
  const arn = await createJob(bedrock, { clientRequestToken: "same" });
  assert(await createJob(bedrock, { clientRequestToken: "same" }) !== arn);
}, { ignoreTokens: true });

for (
  const { member, changes } of [
    { member: "jobName", changes: { jobName: "a_b" } },
    { member: "jobName", changes: { jobName: "x".repeat(64) } },
    { member: "jobName", changes: { jobName: `a${"-".repeat(60)}_` } },
    { member: "roleArn", changes: { roleArn: "not-required-for-openai" } },
    { member: "roleArn", changes: { roleArn: undefined } },
    { member: "modelId", changes: { modelId: "gpt-4.1" } },
    { member: "modelId", changes: { modelId: "models/gemini" } },
    { member: "clientRequestToken", changes: { clientRequestToken: "a_b" } },
    {
      member: "timeoutDurationInHours",
      changes: { timeoutDurationInHours: 1 },
    },
    { member: "tags.0.key", changes: { tags: [{ key: "", value: "x" }] } },
    { member: "tags.0.key", changes: { tags: [{ key: "a*", value: "x" }] } },
    {
      member: "modelInvocationType",
      changes: { modelInvocationType: "Other" as "Converse" },
    },
    {
      member: "inputDataConfig.s3InputDataConfig.s3Uri",
      changes: {
        inputDataConfig: { s3InputDataConfig: { s3Uri: "s3://bucket/a b" } },
      },
    },
    {
      member: "outputDataConfig",
      changes: { outputDataConfig: undefined },
    },
    {
      member: "vpcConfig.subnetIds",
      changes: { vpcConfig: { subnetIds: [], securityGroupIds: ["sg-1"] } },
    },
  ] as {
    member: string;
    changes: Partial<CreateModelInvocationJobCommandInput>;
  }[]
) {
  const shown = JSON.stringify(changes).slice(0, 70);
  simulatorTest(`${member} is checked: ${shown}`, async ({ bedrock }) => {
    const failure = await failureOf(createJob(bedrock, changes));
    assertEquals([failure.name, failure.status], ["ValidationException", 400]);
    assertStringIncludes(failure.message, `'${member}'`);
    assertEquals(await jobNames(bedrock, {}), []);
  });
}

simulatorTest("a job that is not there is not found", async ({ bedrock }) => {
  for (const jobIdentifier of ["abcdefghijkl", "nonsense"]) {
    const calls = [
      bedrock.send(new GetModelInvocationJobCommand({ jobIdentifier })),
      bedrock.send(new StopModelInvocationJobCommand({ jobIdentifier })),
    ];
    for (const call of calls) {
      const { name, status } = await failureOf(call);
      const want = jobIdentifier === "nonsense"
        ? ["ValidationException", 400]
        : ["ResourceNotFoundException", 404];
      assertEquals([name, status], want);
    }
  }
});

simulatorTest("tags are kept, replaced and removed", async ({ bedrock }) => {
  const tags = [{ key: "file_id", value: "file-1" }, { key: "a", value: "1" }];
  const resourceARN = await createJob(bedrock, { tags });
  const read = async () =>
    (await bedrock.send(new ListTagsForResourceCommand({ resourceARN }))).tags;
  assertEquals(await read(), tags);
  const changed = [{ key: "a", value: "2" }];
  await bedrock.send(new TagResourceCommand({ resourceARN, tags: changed }));
  const tagKeys = ["file_id", "not there"];
  await bedrock.send(new UntagResourceCommand({ resourceARN, tagKeys }));
  assertEquals(await read(), changed);
  const many = Array.from({ length: 50 }, (_, index) => ({
    key: `k${index}`,
    value: "",
  }));
  const failure = await failureOf(
    bedrock.send(new TagResourceCommand({ resourceARN, tags: many })),
  );
  assertEquals(failure.name, "TooManyTagsException");
  assertEquals(await read(), changed);
});

for (
  const { name, query, want } of [
    { name: "provider", query: { byProvider: "meta" }, want: ["Meta"] },
    {
      name: "output",
      query: { byOutputModality: "EMBEDDING" },
      want: ["Amazon"],
    },
    {
      name: "inference type",
      query: { byInferenceType: "PROVISIONED" },
      want: ["Anthropic"],
    },
    {
      name: "customization",
      query: { byCustomizationType: "FINE_TUNING" },
      want: ["Anthropic"],
    },
  ] as {
    name: string;
    query: ListFoundationModelsCommandInput;
    want: string[];
  }[]
) {
  simulatorTest(`models are found by ${name}`, async ({ bedrock }) => {
    const list = await bedrock.send(new ListFoundationModelsCommand(query));
    const providers = list.modelSummaries?.map((model) => model.providerName);
    assertEquals(providers, want);
  });
}

simulatorTest("a model is found by its id and its ARN", async ({ bedrock }) => {
  const modelId = "anthropic.claude-3-sonnet-20240229-v1:0";
  const arn = `arn:aws:bedrock:us-west-2::foundation-model/${modelId}`;
  for (const modelIdentifier of [modelId, arn]) {
    const { modelDetails } = await bedrock.send(
      new GetFoundationModelCommand({ modelIdentifier }),
    );
    assertEquals(modelDetails?.modelArn, arn);
    assertEquals(modelDetails?.modelName, "Claude 3 Sonnet");
    assertEquals(modelDetails?.modelLifecycle?.status, "LEGACY");
  }
  const missing = new GetFoundationModelCommand({ modelIdentifier: "a.b-v1" });
  const failure = await failureOf(bedrock.send(missing));
  assertEquals(failure.name, "ResourceNotFoundException");
});

for (
  const { name, path, init, status, code } of [
    {
      name: "no authorization",
      path: "/model-invocation-jobs",
      init: {},
      status: 403,
      code: "MissingAuthenticationTokenException",
    },
    {
      name: "an invalid key",
      path: "/model-invocation-jobs",
      init: { headers: { authorization: "AWS4 Credential=INVALID/x" } },
      status: 403,
      code: "UnrecognizedClientException",
    },
    {
      name: "an unknown path",
      path: "/guardrails",
      init: { headers: { authorization: "any" } },
      status: 404,
      code: "UnknownOperationException",
    },
    {
      name: "a body that is no JSON",
      path: "/model-invocation-job",
      init: { method: "POST", body: "{", headers: { authorization: "any" } },
      status: 400,
      code: "SerializationException",
    },
    {
      name: "a path that is not percent-encoded",
      path: "/model-invocation-job/%ff",
      init: { headers: { authorization: "any" } },
      status: 400,
      code: "ValidationException",
    },
  ]
) {
  simulatorTest(`${name} is ${code}`, async ({ url }) => {
    const response = await fetch(`${url}${path}`, init);
    assertEquals(response.status, status);
    assertEquals(response.headers.get("x-amzn-errortype"), code);
    assertEquals(Object.keys(await response.json()), ["message"]);
  });
}
