import {
  BedrockClient,
  CreateModelInvocationJobCommand,
  GetModelInvocationJobCommand,
  type GetModelInvocationJobCommandOutput,
  ListModelInvocationJobsCommand,
  type ListModelInvocationJobsCommandOutput,
  type ModelInvocationJobSummary,
  StopModelInvocationJobCommand,
} from "@aws-sdk/client-bedrock";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { BatchProvider } from "./batch_provider.ts";

const CREDENTIALS = { accessKeyId: "tests", secretAccessKey: "tests" };
const PAGES_MAX = 100;

export interface JobOrder {
  readonly jobName: string;
  readonly clientRequestToken: string;
  readonly inputUri: string;
}

/** One provider behind a gateway, through the AWS SDK without its retries. */
export class GatewayClient implements Disposable {
  readonly #provider: BatchProvider;
  readonly #bedrock: BedrockClient;
  readonly #s3: S3Client;

  constructor(url: string, provider: BatchProvider) {
    const shared = {
      region: "us-west-2",
      credentials: CREDENTIALS,
      maxAttempts: 1,
    };
    this.#provider = provider;
    this.#bedrock = new BedrockClient({
      ...shared,
      endpoint: `${url}/bedrock`,
    });
    this.#s3 = new S3Client({
      ...shared,
      endpoint: `${url}/bedrock/files`,
      forcePathStyle: true,
    });
    // boto3's users set the header after signing; so does this.
    this.#bedrock.middlewareStack.add((next) => (args) => {
      nameProvider(args.request, provider);
      return next(args);
    }, { step: "finalizeRequest", priority: "low" });
    this.#s3.middlewareStack.add((next) => (args) => {
      nameProvider(args.request, provider);
      return next(args);
    }, { step: "finalizeRequest", priority: "low" });
  }

  [Symbol.dispose](): void {
    this.#bedrock.destroy();
    this.#s3.destroy();
  }

  /** The URI by which a job names the file put under `key`. */
  async putInput(key: string, recordIds: readonly string[]): Promise<string> {
    const { inputBucket, toRecord } = this.#provider;
    const lines = recordIds.map((id) => JSON.stringify(toRecord(id)));
    await this.#s3.send(
      new PutObjectCommand({
        Bucket: inputBucket,
        Key: key,
        Body: lines.join("\n"),
      }),
    );
    return `s3://${inputBucket}/${key}`;
  }

  /** The size of an object. */
  async headObject(bucket: string, key: string): Promise<number> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
    return (await this.#s3.send(command)).ContentLength ?? 0;
  }

  async readObject(bucket: string, key: string): Promise<string> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const { Body: body } = await this.#s3.send(command);
    return await body?.transformToString() ?? "";
  }

  async listKeys(bucket: string, prefix: string): Promise<string[]> {
    const page = await this.#s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }),
    );
    return (page.Contents ?? []).map(({ Key }) => Key ?? "");
  }

  /** The new job's ARN. */
  async createJob(order: JobOrder): Promise<string> {
    const { modelId, outputBucket } = this.#provider;
    const { jobArn } = await this.#bedrock.send(
      new CreateModelInvocationJobCommand({
        jobName: order.jobName,
        clientRequestToken: order.clientRequestToken,
        modelId,
        roleArn: "arn:aws:iam::123456789012:role/tests",
        inputDataConfig: { s3InputDataConfig: { s3Uri: order.inputUri } },
        outputDataConfig: {
          s3OutputDataConfig: { s3Uri: `s3://${outputBucket}/results/` },
        },
      }),
    );
    return jobArn ?? "";
  }

  getJob(identifier: string): Promise<GetModelInvocationJobCommandOutput> {
    return this.#bedrock.send(
      new GetModelInvocationJobCommand({ jobIdentifier: identifier }),
    );
  }

  async stopJob(identifier: string): Promise<void> {
    await this.#bedrock.send(
      new StopModelInvocationJobCommand({ jobIdentifier: identifier }),
    );
  }

  /** Every job whose name contains the text. */
  async listJobs(nameContains: string): Promise<ModelInvocationJobSummary[]> {
    const jobs: ModelInvocationJobSummary[] = [];
    let nextToken: string | undefined;
    for (let number = 1; number <= PAGES_MAX; number++) {
      const page: ListModelInvocationJobsCommandOutput = await this.#bedrock
        .send(
          new ListModelInvocationJobsCommand({
            nameContains,
            maxResults: 100,
            nextToken,
          }),
        );
      jobs.push(...page.invocationJobSummaries ?? []);
      nextToken = page.nextToken;
      if (nextToken === undefined) return jobs;
    }
    throw new Error(`The list of jobs has more than ${PAGES_MAX} pages.`);
  }
}

function nameProvider(request: unknown, provider: BatchProvider): void {
  if (hasHeaders(request)) {
    request.headers["x-model-provider"] = provider.name;
  }
}

function hasHeaders(
  request: unknown,
): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null &&
    "headers" in request;
}
