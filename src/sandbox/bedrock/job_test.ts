import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  GetModelInvocationJobCommand,
  StopModelInvocationJobCommand,
} from "@aws-sdk/client-bedrock";
import { ListObjectsV2Command, NoSuchKey } from "@aws-sdk/client-s3";
import {
  BUCKET,
  createJob,
  endOf,
  failureOf,
  lines,
  pollJob,
  putText,
  simulatorTest,
  textOf,
} from "./simulator_fixture.ts";

function converse(text: string): Record<string, unknown> {
  return { messages: [{ role: "user", content: [{ text }] }] };
}

function anthropic(text: string): Record<string, unknown> {
  return {
    anthropic_version: "bedrock-2023-05-31",
    max_tokens: 100,
    messages: [{ role: "user", content: text }],
  };
}

function idOf(arn: string): string {
  return arn.slice(arn.lastIndexOf("/") + 1);
}

simulatorTest("a job answers every record and counts them", async (fixture) => {
  const { bedrock, s3 } = fixture;
  await putText(
    s3,
    "input.jsonl",
    lines(
      { recordId: "one", modelInput: converse("Hello") },
      { modelInput: converse("please fail") },
      { recordId: "tool", modelInput: { ...converse("x"), toolConfig: {} } },
      { recordId: "shape", modelInput: anthropic("x") },
    ),
  );
  const arn = await createJob(bedrock);
  const job = await endOf(bedrock, arn);
  assertEquals(job.status, "Completed");
  assertEquals(
    [job.totalRecordCount, job.processedRecordCount],
    [4, 4],
  );
  assertEquals([job.successRecordCount, job.errorRecordCount], [1, 3]);
  const submitTimeMs = job.submitTime?.getTime() ?? 0;
  assert((job.endTime?.getTime() ?? 0) > submitTimeMs);
  assertEquals(
    job.jobExpirationTime?.getTime(),
    submitTimeMs + 24 * 3_600_000,
  );
  const folder = `output/${idOf(arn)}`;
  const output = (await textOf(s3, `${folder}/input.jsonl.out`))
    .trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(output.map(({ recordId }) => recordId), [
    "one",
    "CALL0000002",
    "tool",
    "shape",
  ]);
  const [first, ...errors] = output;
  assertEquals(first.modelInput, converse("Hello"));
  const { output: { message }, stopReason, usage } = first.modelOutput;
  assertEquals([message.role, stopReason], ["assistant", "end_turn"]);
  assertStringIncludes(message.content[0].text, "Hello");
  assertEquals(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  assertEquals(errors.map(({ error }) => error.errorCode), [400, 400, 400]);
  assertEquals(errors.map(({ modelOutput }) => modelOutput), [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(JSON.parse(await textOf(s3, `${folder}/manifest.json.out`)), {
    totalRecordCount: 4,
    processedRecordCount: 4,
    successRecordCount: 1,
    errorRecordCount: 3,
    inputTokenCount: usage.inputTokens,
    outputTokenCount: usage.outputTokens,
  });
});

for (
  const { name, modelId, right, wrong, textIn } of [
    {
      name: "Anthropic's Messages",
      modelId: "us.anthropic.claude-3-haiku-20240307-v1:0",
      right: anthropic("Hello"),
      wrong: converse("Hello"),
      textIn: (output: { content: { text: string }[] }) =>
        output.content[0]?.text,
    },
    {
      name: "Nova's own",
      modelId: "amazon.nova-lite-v1:0",
      right: { ...converse("Hello"), schemaVersion: "messages-v1" },
      wrong: anthropic("Hello"),
      textIn: (
        { output }: { output: { message: { content: { text: string }[] } } },
      ) => output.message.content[0]?.text,
    },
    {
      name: "Titan's own",
      modelId: "amazon.titan-text-express-v1",
      right: { inputText: "Hello", textGenerationConfig: { maxTokenCount: 9 } },
      wrong: converse("Hello"),
      textIn: (output: { results: { outputText: string }[] }) =>
        output.results[0]?.outputText,
    },
  ]
) {
  simulatorTest(`InvokeModel takes ${name} body only`, async (fixture) => {
    const { bedrock, s3 } = fixture;
    const records = lines(
      { recordId: "right", modelInput: right },
      { recordId: "wrong", modelInput: wrong },
    );
    await putText(s3, "input.jsonl", records);
    const modelInvocationType = "InvokeModel";
    const arn = await createJob(bedrock, { modelId, modelInvocationType });
    const job = await endOf(bedrock, arn);
    assertEquals([job.successRecordCount, job.errorRecordCount], [1, 1]);
    const text = await textOf(s3, `output/${idOf(arn)}/input.jsonl.out`);
    const [good, bad] = text.split("\n").slice(0, 2)
      .map((line) => JSON.parse(line));
    assertStringIncludes(textIn(good.modelOutput) ?? "", "Hello");
    assertStringIncludes(bad.error.errorMessage, "Malformed input request");
  });
}

simulatorTest("a prefix means every .jsonl file below it", async (fixture) => {
  const { bedrock, s3 } = fixture;
  const record = lines({ recordId: "1", modelInput: converse("Hello") });
  for (const key of ["in/a.jsonl", "in/deep/b.jsonl", "in/notes.txt", "inx"]) {
    await putText(s3, key, record);
  }
  const arn = await createJob(bedrock, {
    inputDataConfig: { s3InputDataConfig: { s3Uri: `s3://${BUCKET}/in` } },
    outputDataConfig: { s3OutputDataConfig: { s3Uri: `s3://${BUCKET}` } },
  });
  const job = await endOf(bedrock, arn);
  assertEquals([job.status, job.totalRecordCount], ["Completed", 2]);
  const list = await s3.send(
    new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${idOf(arn)}/` }),
  );
  assertEquals(list.Contents?.map(({ Key }) => Key), [
    `${idOf(arn)}/a.jsonl.out`,
    `${idOf(arn)}/deep/b.jsonl.out`,
    `${idOf(arn)}/manifest.json.out`,
  ]);
});

for (
  const { name, input, output, text, message } of [
    {
      name: "a missing object",
      input: `s3://${BUCKET}/none.jsonl`,
      message: "does not exist",
    },
    {
      name: "a missing bucket",
      input: "s3://no-such-bucket/input.jsonl",
      message: "bucket of the input",
    },
    {
      name: "another suffix",
      input: `s3://${BUCKET}/input.json`,
      message: "must end in .jsonl",
    },
    {
      name: "a missing output bucket",
      output: "s3://no-such-bucket/output/",
      message: "bucket of the output",
    },
    { name: "a broken line", text: '{"modelInput":{}}\n{', message: "Line 2" },
    {
      name: "a record without modelInput",
      text: '{"recordId":"1"}\n',
      message: "Line 1",
    },
    { name: "an empty file", text: "", message: "no records" },
  ]
) {
  simulatorTest(`${name} makes the job fail`, async ({ bedrock, s3 }) => {
    const good = lines({ recordId: "1", modelInput: converse("Hello") });
    await putText(s3, "input.jsonl", text ?? good);
    await putText(s3, "input.json", good);
    const arn = await createJob(bedrock, {
      inputDataConfig: {
        s3InputDataConfig: { s3Uri: input ?? `s3://${BUCKET}/input.jsonl` },
      },
      outputDataConfig: {
        s3OutputDataConfig: { s3Uri: output ?? `s3://${BUCKET}/output` },
      },
    });
    const job = await endOf(bedrock, arn);
    assertEquals(job.status, "Failed");
    assertStringIncludes(job.message ?? "", message);
    await assertRejects(
      () => textOf(s3, `output/${idOf(arn)}/manifest.json.out`),
      NoSuchKey,
    );
  });
}

simulatorTest(
  "a stopped job is Stopping, then Stopped with what it had",
  async ({ bedrock, s3 }) => {
    const records = Array.from({ length: 50 }, (_, index) => ({
      recordId: `r${index}`,
      modelInput: converse(`Hello ${index}`),
    }));
    await putText(s3, "input.jsonl", lines(...records));
    const arn = await createJob(bedrock);
    const id = idOf(arn);
    await pollJob(bedrock, id, (job) => (job.processedRecordCount ?? 0) > 0);
    await bedrock.send(
      new StopModelInvocationJobCommand({ jobIdentifier: id }),
    );
    const stopping = await bedrock.send(
      new GetModelInvocationJobCommand({ jobIdentifier: id }),
    );
    assertEquals(stopping.status, "Stopping");
    const job = await endOf(bedrock, arn);
    assertEquals(job.status, "Stopped");
    const processed = job.processedRecordCount ?? 0;
    assert(processed > 0 && processed < 50);
    const text = await textOf(s3, `output/${id}/input.jsonl.out`);
    assertEquals(text.trimEnd().split("\n").length, processed);
    const again = new StopModelInvocationJobCommand({ jobIdentifier: arn });
    const { name, status } = await failureOf(bedrock.send(again));
    assertEquals([name, status], ["ConflictException", 400]);
  },
  { paceMs: 500 },
);

simulatorTest(
  "a job's status only moves forward",
  async ({ bedrock, s3 }) => {
    await putText(
      s3,
      "input.jsonl",
      lines({ recordId: "1", modelInput: converse("Hello") }),
    );
    const arn = await createJob(bedrock);
    const seen: string[] = [];
    await pollJob(bedrock, arn, ({ status = "" }) => {
      if (seen.at(-1) !== status) seen.push(status);
      return status === "Completed";
    });
    // A slow machine may miss one in between.
    const order = ["Submitted", "Validating", "Scheduled", "InProgress"];
    const possible = [...order, "Completed"];
    assertEquals(seen, possible.filter((status) => seen.includes(status)));
    assert(seen.length > 2);
  },
  { paceMs: 100 },
);

simulatorTest(
  "jobs outlive the process, unfinished ones are carried out",
  async ({ bedrock, s3, restart }) => {
    await putText(
      s3,
      "input.jsonl",
      lines({ recordId: "1", modelInput: converse("Hello") }),
    );
    const arn = await createJob(bedrock, { clientRequestToken: "once" });
    await restart();
    assertEquals(await createJob(bedrock, { clientRequestToken: "once" }), arn);
    const job = await endOf(bedrock, arn);
    assertEquals([job.status, job.successRecordCount], ["Completed", 1]);
    await restart();
    assertEquals((await endOf(bedrock, arn)).endTime, job.endTime);
  },
  { paceMs: 50 },
);
