import { assert, assertEquals, assertRejects } from "@std/assert";
import type { BedrockOrder } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import {
  ARN,
  batchTest,
  newCall,
  ORDER,
  PLAIN,
  PLAIN_WIRE,
  ROLE,
} from "./batches_fixture.ts";

// ------------------------------------------------------------------ orders

const FULL: BedrockOrder = {
  clientRequestToken: "token-1",
  outputUri: "s3://out/results/",
  inputBucketOwner: "111111111111",
  outputBucketOwner: "222222222222",
  outputEncryptionKeyId: "key-1",
  vpcConfig: { subnetIds: ["subnet-1"], securityGroupIds: ["sg-1"] },
  timeoutDurationInHours: 48,
  modelInvocationType: "Converse",
  tags: [{ key: "team", value: "a b" }],
};

const FULL_WIRE = {
  ...PLAIN_WIRE,
  inputDataConfig: {
    s3InputDataConfig: {
      s3Uri: "s3://in/a.jsonl",
      s3InputFormat: "JSONL",
      s3BucketOwner: "111111111111",
    },
  },
  outputDataConfig: {
    s3OutputDataConfig: {
      s3Uri: "s3://out/results/",
      s3EncryptionKeyId: "key-1",
      s3BucketOwner: "222222222222",
    },
  },
  vpcConfig: { subnetIds: ["subnet-1"], securityGroupIds: ["sg-1"] },
  timeoutDurationInHours: 48,
  modelInvocationType: "Converse",
  tags: [{ key: "team", value: "a b" }],
};

for (
  const { name, bedrock, wire } of [
    { name: "what was given, and no more", bedrock: PLAIN, wire: PLAIN_WIRE },
    { name: "every member there is", bedrock: FULL, wire: FULL_WIRE },
  ]
) {
  batchTest(
    `startBatch() sends ${name}`,
    () => Response.json({ jobArn: ARN }),
    async ({ driver, asked }) => {
      const batch = await driver.batches.startBatch(newCall(), {
        ...ORDER,
        bedrock,
      });
      assertEquals(asked, [
        { method: "POST", target: "/model-invocation-job", body: wire },
      ]);
      assertEquals(
        [batch.id, batch.status, batch.clientRequestToken, batch.counts],
        [ARN, "Submitted", "token-1", null],
      );
      assertEquals(batch.bedrock?.roleArn, ROLE);
    },
  );
}

batchTest(
  "without a role no job is started, and nothing asked",
  () => Response.json({ jobArn: ARN }),
  async ({ driver, asked }) => {
    const error = await assertRejects(
      () => driver.batches.startBatch(newCall(), ORDER),
      GatewayError,
    );
    assertEquals(error.failure, { kind: "invalid_request" });
    assert(error.message.includes("BEDROCK_BATCH_ROLE_ARN"));
    assertEquals(asked, []);
  },
  null,
);

// ----------------------------------------------------------------- reading

const WIRE_JOB = {
  ...FULL_WIRE,
  jobArn: ARN,
  status: "InProgress",
  message: "half way",
  submitTime: "2026-01-02T03:04:05.678Z",
  lastModifiedTime: "2026-01-02T04:00:00Z",
  jobExpirationTime: "2026-01-09T03:04:05Z",
  totalRecordCount: 100,
  processedRecordCount: 60,
  successRecordCount: 55,
  errorRecordCount: 5,
};

batchTest(
  "getBatch() takes the ARN and the bare id, and reads every member",
  () => Response.json(WIRE_JOB),
  async ({ driver, asked }) => {
    for (const id of [ARN, "abcdefghijkl"]) {
      const batch = await driver.batches.getBatch(newCall(), id);
      assertEquals(batch, {
        id: ARN,
        status: "InProgress",
        counts: { total: 100, processed: 60, succeeded: 55, failed: 5 },
        jobId: null,
        clientRequestToken: "token-1",
        name: "night",
        modelId: PLAIN_WIRE.modelId,
        endpoint: null,
        inputFileId: null,
        outputFileIds: [],
        createdAt: new Date("2026-01-02T03:04:05.678Z"),
        modifiedAt: new Date("2026-01-02T04:00:00Z"),
        endedAt: null,
        expiresAt: new Date("2026-01-09T03:04:05Z"),
        message: "half way",
        bedrock: {
          roleArn: ROLE,
          inputUri: "s3://in/a.jsonl",
          inputFormat: "JSONL",
          inputBucketOwner: "111111111111",
          outputUri: "s3://out/results/",
          outputBucketOwner: "222222222222",
          outputEncryptionKeyId: "key-1",
          vpcConfig: { subnetIds: ["subnet-1"], securityGroupIds: ["sg-1"] },
          timeoutDurationInHours: 48,
          modelInvocationType: "Converse",
        },
      });
    }
    assertEquals(asked.map(({ target }) => target), [
      `/model-invocation-job/${encodeURIComponent(ARN)}`,
      "/model-invocation-job/abcdefghijkl",
    ]);
  },
);

for (
  const { name, members, status, counts } of [
    {
      name: "a job not yet counted",
      members: { status: "Validating" },
      status: "Validating",
      counts: null,
    },
    {
      name: "counts without the processed one",
      members: {
        status: "Completed",
        totalRecordCount: 3,
        successRecordCount: 2,
        errorRecordCount: 1,
      },
      status: "Completed",
      counts: { total: 3, processed: 3, succeeded: 2, failed: 1 },
    },
    {
      name: "a status of tomorrow, as one that has not ended",
      members: { status: "Pondering" },
      status: "InProgress",
      counts: null,
    },
  ] as const
) {
  batchTest(
    `getBatch() reads ${name}`,
    () =>
      Response.json({ ...PLAIN_WIRE, jobArn: ARN, submitTime: 1, ...members }),
    async ({ driver }) => {
      const batch = await driver.batches.getBatch(newCall(), ARN);
      assertEquals([batch.status, batch.counts], [status, counts]);
    },
  );
}

batchTest(
  "listBatches() goes newest first, and no further than it is read",
  (_asked, index) =>
    Response.json({
      invocationJobSummaries: [{
        ...WIRE_JOB,
        jobArn: `${ARN.slice(0, -1)}${index}`,
      }],
      ...(index < 2 ? { nextToken: `page ${index}` } : {}),
    }),
  async ({ driver, asked }) => {
    const { batches } = driver;
    for await (const [first] of batches.listBatches(newCall())) {
      assertEquals(first?.id, `${ARN.slice(0, -1)}0`);
      break;
    }
    assertEquals(asked.map(({ target }) => target), [
      "/model-invocation-jobs?maxResults=100&sortBy=CreationTime&" +
      "sortOrder=Descending",
    ]);
    const pages = await Array.fromAsync(batches.listBatches(newCall()));
    assertEquals(pages.flat().length, 2);
  },
);

batchTest(
  "listBatches() ends where a server's tokens go in circles",
  () => Response.json({ invocationJobSummaries: [], nextToken: "again" }),
  async ({ driver, asked }) => {
    await assertRejects(
      () => Array.fromAsync(driver.batches.listBatches(newCall())),
      GatewayError,
    );
    assertEquals(asked.length, 2);
  },
);
