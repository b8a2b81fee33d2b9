import {
  CreateModelInvocationJobCommand,
  GetModelInvocationJobCommand,
  ListModelInvocationJobsCommand,
  type ListModelInvocationJobsCommandOutput,
  StopModelInvocationJobCommand,
} from "@aws-sdk/client-bedrock";
import type { ByteStream } from "../../domain/bytes.ts";
import type {
  BatchApi,
  BatchOrder,
  DriverCall,
  RemoteBatch,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { toWireOrder } from "./batch_order.ts";
import type { ControlPlane } from "./control_plane.ts";
import { toRemoteBatch } from "./wire.ts";

/** "Job size" and "records per job" among Bedrock's quotas, at their highest. */
const INPUT_BYTES_MAX = 5 * 1024 ** 3;
const RECORDS_MAX = 100_000;

/** Jobs a page; ListModelInvocationJobs takes up to 1,000. */
const PAGE_SIZE = 100;

/** The pattern of jobIdentifier in the botocore model. */
const BATCH_ID =
  /^(?:arn:aws(?:-[^:]+)?:bedrock:[a-z0-9-]{1,20}:\d{12}:model-invocation-job\/)?[a-z0-9]{12}$/;

/** Bedrock's batch jobs, all of which run under one role. */
export class BedrockBatches implements BatchApi {
  readonly kind = "batches";
  readonly results = "in_place";
  readonly inputBytesMax = INPUT_BYTES_MAX;
  readonly recordsMax = RECORDS_MAX;
  readonly #plane: ControlPlane;
  readonly #roleArn: string | null;

  /** @param roleArn Null: jobs can be read and stopped, not started. */
  constructor(plane: ControlPlane, roleArn: string | null) {
    this.#plane = plane;
    this.#roleArn = roleArn;
  }

  isBatchId(text: string): boolean {
    return BATCH_ID.test(text);
  }

  async startBatch(call: DriverCall, order: BatchOrder): Promise<RemoteBatch> {
    const input = toWireOrder(order, this.#roleArn);
    const { jobArn } = await this.#plane.write(
      call,
      { kind: "no_such_resource", resource: order.modelId },
      (client, options) =>
        client.send(new CreateModelInvocationJobCommand(input), options),
    );
    const submitTime = new Date();
    return toRemoteBatch({ ...input, jobArn, submitTime, status: "Submitted" });
  }

  async getBatch(call: DriverCall, batchId: string): Promise<RemoteBatch> {
    this.#checkId(batchId);
    const command = new GetModelInvocationJobCommand({
      jobIdentifier: batchId,
    });
    return toRemoteBatch(
      await this.#plane.read(
        call,
        { kind: "no_such_job", jobId: batchId },
        (client, options) => client.send(command, options),
      ),
    );
  }

  async *listBatches(
    call: DriverCall,
  ): AsyncGenerator<readonly RemoteBatch[], void, void> {
    let token: string | undefined;
    do {
      const page = await this.#listPage(call, token);
      yield (page.invocationJobSummaries ?? []).map(toRemoteBatch);
      if (page.nextToken !== undefined && page.nextToken === token) {
        throw new GatewayError(
          { kind: "upstream_failed" },
          "Amazon Bedrock's list of jobs does not come to an end.",
        );
      }
      token = page.nextToken;
    } while (token !== undefined);
  }

  async stopBatch(call: DriverCall, batchId: string): Promise<void> {
    this.#checkId(batchId);
    const command = new StopModelInvocationJobCommand({
      jobIdentifier: batchId,
    });
    await this.#plane.write(
      call,
      { kind: "no_such_job", jobId: batchId },
      (client, options) => client.send(command, options),
    );
  }

  /** Bedrock itself writes results into the job's output bucket. */
  openResults(): Promise<ByteStream> {
    return Promise.reject(
      new GatewayError(
        { kind: "unsupported" },
        "Amazon Bedrock writes results into the job's output bucket.",
      ),
    );
  }

  /** Rejects where the credentials may not even list jobs. */
  async probe(call: DriverCall): Promise<void> {
    await this.#listPage(call, undefined);
  }

  #checkId(batchId: string): void {
    if (this.isBatchId(batchId)) return;
    throw new GatewayError(
      { kind: "no_such_job", jobId: batchId },
      `${batchId} is no id of a job on Amazon Bedrock.`,
    );
  }

  #listPage(
    call: DriverCall,
    nextToken: string | undefined,
  ): Promise<ListModelInvocationJobsCommandOutput> {
    const command = new ListModelInvocationJobsCommand({
      maxResults: PAGE_SIZE,
      sortBy: "CreationTime",
      sortOrder: "Descending",
      nextToken,
    });
    return this.#plane.read(
      call,
      { kind: "no_such_resource", resource: "model-invocation-jobs" },
      (client, options) => client.send(command, options),
    );
  }
}
