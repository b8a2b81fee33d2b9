import {
  BedrockClient,
  CreateModelInvocationJobCommand,
  GetModelInvocationJobCommand,
  ListModelInvocationJobsCommand,
} from "@aws-sdk/client-bedrock";
import {
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { createLog } from "../telemetry/log.ts";
import { DEMO_BATCHES, type DemoBatch, readAnswer } from "./demo_batches.ts";
import { startSandboxedGateway } from "./sandbox.ts";

const POLL_MS = 250;
const POLL_MAX = 480;
const ENDED = [
  "Completed",
  "PartiallyCompleted",
  "Failed",
  "Stopped",
  "Expired",
];

/**
 * Plays a boto3 user with three providers against a sandbox: the same calls,
 * one header changed. Exit code 1 where any job did not complete.
 */
export async function demo(): Promise<number> {
  Deno.env.set("FINOPS_PORT", "0");
  const gateway = await startSandboxedGateway(() =>
    createLog("error", (line) => say(line.trimEnd()))
  );
  say(`A gateway with simulated providers listens on ${gateway.url}\n`);
  const summary: string[] = [];
  let completed = 0;
  try {
    for (const batch of DEMO_BATCHES) {
      const { status, lines } = await runBatch(batch, gateway.url);
      if (status === "Completed") completed++;
      summary.push(`${batch.provider}: ${status}`);
      summary.push(...lines.map((line) => `  ${line}`));
    }
  } finally {
    await gateway.close();
  }
  say("Summary");
  for (const line of summary) say(line);
  say(`\n${completed} of ${DEMO_BATCHES.length} jobs completed.`);
  return completed === DEMO_BATCHES.length ? 0 : 1;
}

interface Outcome {
  readonly status: string;
  /** One line a record. */
  readonly lines: readonly string[];
}

async function runBatch(batch: DemoBatch, baseUrl: string): Promise<Outcome> {
  const { s3, bedrock } = connect(batch, baseUrl);
  say(`${batch.provider}  (x-model-provider: ${batch.provider})`);
  const { ETag } = await s3.send(
    new PutObjectCommand({
      Bucket: batch.bucket,
      Key: batch.key,
      Body: batch.records,
      ContentType: "application/jsonl",
    }),
  );
  const fileId = (ETag ?? "").replaceAll('"', "");
  say(`  uploaded  s3://${batch.bucket}/${batch.key}  file id ${fileId}`);
  const { jobArn = "" } = await bedrock.send(
    new CreateModelInvocationJobCommand({
      jobName: `demo-${batch.provider}`,
      modelId: batch.modelId,
      roleArn: batch.roleArn,
      inputDataConfig: {
        s3InputDataConfig: { s3Uri: `s3://${batch.bucket}/${batch.key}` },
      },
      outputDataConfig: { s3OutputDataConfig: { s3Uri: batch.outputUri } },
    }),
  );
  say(`  created   ${jobArn}`);
  const status = await poll(bedrock, jobArn);
  const listed = await bedrock.send(
    new ListModelInvocationJobsCommand({ maxResults: 10 }),
  );
  const count = listed.invocationJobSummaries?.length ?? 0;
  say(`  listed    ${count} job(s) on ${batch.provider}`);
  const lines = status === "Completed"
    ? await readResults(s3, batch, jobArn)
    : [];
  say(`  results   ${lines.length} record(s)\n`);
  s3.destroy();
  bedrock.destroy();
  return { status, lines };
}

/** Shows each status once, as it comes. */
async function poll(bedrock: BedrockClient, jobArn: string): Promise<string> {
  let shown = "";
  for (let attempt = 1; attempt <= POLL_MAX; attempt++) {
    const job = await bedrock.send(
      new GetModelInvocationJobCommand({ jobIdentifier: jobArn }),
    );
    const status = job.status ?? "unknown";
    if (status !== shown) {
      const done = job.processedRecordCount ?? 0;
      const total = job.totalRecordCount ?? 0;
      say(`  status    ${status}${total > 0 ? ` (${done}/${total})` : ""}`);
      shown = status;
    }
    if (ENDED.includes(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return shown;
}

async function readResults(
  s3: S3Client,
  batch: DemoBatch,
  jobArn: string,
): Promise<string[]> {
  const jobId = jobArn.slice(jobArn.lastIndexOf("/") + 1);
  const output = new URL(batch.outputUri);
  const inputName = batch.key.slice(batch.key.lastIndexOf("/") + 1);
  const { Body } = await s3.send(
    new GetObjectCommand({
      Bucket: output.hostname,
      Key: `${output.pathname.slice(1)}${jobId}/${inputName}.out`,
    }),
  );
  const text = await Body?.transformToString() ?? "";
  return text.split("\n").filter((line) => line !== "").map(readAnswer);
}

function connect(
  batch: DemoBatch,
  baseUrl: string,
): { s3: S3Client; bedrock: BedrockClient } {
  const shared = {
    region: "us-west-2",
    credentials: { accessKeyId: "demo", secretAccessKey: "demo" },
  };
  const s3 = new S3Client({
    ...shared,
    endpoint: `${baseUrl}/bedrock/files`,
    forcePathStyle: true,
  });
  const bedrock = new BedrockClient({
    ...shared,
    endpoint: `${baseUrl}/bedrock`,
  });
  const toProvider = { step: "build", name: "modelProvider" } as const;
  s3.middlewareStack.add((next) => (args) => {
    nameProvider(args.request, batch.provider);
    return next(args);
  }, toProvider);
  bedrock.middlewareStack.add((next) => (args) => {
    nameProvider(args.request, batch.provider);
    return next(args);
  }, toProvider);
  return { s3, bedrock };
}

/** The one header by which a provider is chosen. */
function nameProvider(request: unknown, provider: string): void {
  const { headers } = request as { headers: Record<string, string> };
  headers["x-model-provider"] = provider;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
