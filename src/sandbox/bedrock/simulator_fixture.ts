import {
  BedrockClient,
  BedrockServiceException,
  CreateModelInvocationJobCommand,
  type CreateModelInvocationJobCommandInput,
  GetModelInvocationJobCommand,
  type GetModelInvocationJobCommandOutput,
  ListModelInvocationJobsCommand,
  type ListModelInvocationJobsCommandInput,
} from "@aws-sdk/client-bedrock";
import {
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { assertRejects } from "@std/assert";
import { startS3Simulator } from "../s3/simulator.ts";
import {
  type BedrockSimulatorOptions,
  startBedrockSimulator,
} from "./simulator.ts";

export const BUCKET = "your-s3-bucket";
const END_MS_MAX = 20_000;
const CREDENTIALS = { accessKeyId: "sandbox", secretAccessKey: "sandbox" };

export interface Fixture {
  readonly url: string;
  readonly bedrock: BedrockClient;
  readonly s3: S3Client;
  readonly dataDir: string;
  /** Starts a second simulator on the same data, as after a restart. */
  restart(): Promise<void>;
}

/** A test with simulators of its own that must leave nothing open behind. */
export function simulatorTest(
  name: string,
  run: (fixture: Fixture) => Promise<void>,
  options: Partial<BedrockSimulatorOptions> = {},
): void {
  Deno.test({
    name: `Bedrock simulator: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const dataDir = await Deno.makeTempDir();
      const storage = await startS3Simulator();
      const settings = {
        s3Endpoint: storage.url,
        dataDir,
        paceMs: 1,
        ...options,
      };
      let simulator = await startBedrockSimulator(settings);
      const bedrock = new BedrockClient({
        endpoint: simulator.url,
        region: "us-west-2",
        maxAttempts: 1,
        credentials: CREDENTIALS,
      });
      const s3 = new S3Client({
        endpoint: storage.url,
        region: "us-west-2",
        forcePathStyle: true,
        credentials: CREDENTIALS,
      });
      async function restart(): Promise<void> {
        const port = Number(new URL(simulator.url).port);
        await simulator.close();
        simulator = await startBedrockSimulator({ ...settings, port });
      }
      try {
        await run({ url: simulator.url, bedrock, s3, dataDir, restart });
      } finally {
        bedrock.destroy();
        s3.destroy();
        await simulator.close();
        await storage.close();
        await Deno.remove(dataDir, { recursive: true });
      }
    },
  });
}

/** A complete request, from `input.jsonl` to `output/`. */
export function jobInput(
  changes: Partial<CreateModelInvocationJobCommandInput> = {},
): CreateModelInvocationJobCommandInput {
  return {
    jobName: "my-job",
    roleArn: "arn:aws:iam::123456789012:role/batch",
    modelId: "anthropic.claude-3-haiku-20240307-v1:0",
    modelInvocationType: "Converse",
    inputDataConfig: {
      s3InputDataConfig: { s3Uri: `s3://${BUCKET}/input.jsonl` },
    },
    outputDataConfig: {
      s3OutputDataConfig: { s3Uri: `s3://${BUCKET}/output/` },
    },
    ...changes,
  };
}

/** @returns The new job's ARN. */
export async function createJob(
  bedrock: BedrockClient,
  changes: Partial<CreateModelInvocationJobCommandInput> = {},
): Promise<string> {
  const command = new CreateModelInvocationJobCommand(jobInput(changes));
  return (await bedrock.send(command)).jobArn ?? "";
}

/** Polls a job until `isReached` says so. */
export async function pollJob(
  bedrock: BedrockClient,
  jobIdentifier: string,
  isReached: (job: GetModelInvocationJobCommandOutput) => boolean,
): Promise<GetModelInvocationJobCommandOutput> {
  const deadlineMs = Date.now() + END_MS_MAX;
  for (;;) {
    const command = new GetModelInvocationJobCommand({ jobIdentifier });
    const job = await bedrock.send(command);
    if (isReached(job)) return job;
    if (Date.now() > deadlineMs) throw new Error(`Still ${job.status}.`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function endOf(
  bedrock: BedrockClient,
  jobIdentifier: string,
): Promise<GetModelInvocationJobCommandOutput> {
  const ends = ["Completed", "Failed", "Stopped"];
  return pollJob(
    bedrock,
    jobIdentifier,
    ({ status }) => ends.includes(status ?? ""),
  );
}

/** The names in one page of the list. */
export async function jobNames(
  bedrock: BedrockClient,
  input: ListModelInvocationJobsCommandInput,
): Promise<string[]> {
  const list = await bedrock.send(new ListModelInvocationJobsCommand(input));
  return (list.invocationJobSummaries ?? []).map(({ jobName }) =>
    jobName ?? ""
  );
}

export async function putText(
  s3: S3Client,
  Key: string,
  text: string,
): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: text }));
}

export async function textOf(s3: S3Client, Key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
  return await Body?.transformToString() ?? "";
}

/** JSON lines from values. */
export function lines(...values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

export async function failureOf(
  call: Promise<unknown>,
): Promise<{ name: string; status: number | undefined; message: string }> {
  const error = await assertRejects(() => call, BedrockServiceException);
  const { name, message } = error;
  return { name, status: error.$metadata.httpStatusCode, message };
}
