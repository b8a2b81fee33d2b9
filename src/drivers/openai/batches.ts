import type { BatchCreateParams } from "openai/resources/batches";
import type { ByteStream } from "../../domain/bytes.ts";
import type {
  BatchApi,
  BatchOrder,
  DriverCall,
  FileStorage,
  RemoteBatch,
} from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import { isTerminal, type JobStatus } from "../../domain/job_status.ts";
import { concatenatedLines } from "../json_lines.ts";
import type { OpenAiClient } from "./client.ts";
import {
  JOB_ID_KEY,
  JOB_NAME_KEY,
  METADATA_VALUE_LENGTH_MAX,
  parseBatch,
  toRemoteBatch,
  tryParseBatch,
} from "./wire.ts";

/** "List batches": the limit lies between 1 and 100. */
const PAGE_BATCHES_MAX = 100;
/** For servers whose pages never end. */
const PAGES_MAX = 10_000;
const ENDPOINT_DEFAULT = "/v1/chat/completions";

/** OpenAI's Batch API. */
export class OpenAiBatches implements BatchApi {
  readonly kind = "batches";
  readonly results = "collected";
  /** Batch API guide, "Rate limits": 200 MB and 50,000 requests a batch. */
  readonly inputBytesMax = 200 * 1024 * 1024;
  readonly recordsMax = 50_000;
  readonly #client: OpenAiClient;
  readonly #files: FileStorage;

  constructor(client: OpenAiClient, files: FileStorage) {
    this.#client = client;
    this.#files = files;
  }

  isBatchId(text: string): boolean {
    return /^batch_[A-Za-z0-9_-]{1,200}$/.test(text);
  }

  async startBatch(call: DriverCall, order: BatchOrder): Promise<RemoteBatch> {
    const batch = await this.#client.write(
      call,
      { kind: "no_such_resource", resource: inputFileOf(order) },
      (sdk, options) =>
        sdk.batches.create(toCreateParams(order), options).then(parseBatch),
    );
    return toRemoteBatch(batch);
  }

  async getBatch(call: DriverCall, batchId: string): Promise<RemoteBatch> {
    const batch = await this.#client.read(
      call,
      missingBatch(batchId),
      (sdk, options) =>
        sdk.batches.retrieve(checked(batchId), options).then(parseBatch),
    );
    return toRemoteBatch(batch);
  }

  async *listBatches(call: DriverCall): AsyncIterable<readonly RemoteBatch[]> {
    let after: string | null = null;
    for (let pageNumber = 1; pageNumber <= PAGES_MAX; pageNumber++) {
      const page: BatchPage = await this.#readPage(call, after);
      const last: string | null = page.batches.at(-1)?.id ?? null;
      // A server that ignores `after` sends the same page again.
      if (last === null || last === after) return;
      yield page.batches;
      if (!page.more) return;
      after = last;
    }
  }

  async stopBatch(call: DriverCall, batchId: string): Promise<void> {
    let status: JobStatus;
    try {
      const batch = await this.#client.write(
        call,
        missingBatch(batchId),
        (sdk, options) =>
          sdk.batches.cancel(checked(batchId), options).then(parseBatch),
      );
      status = toRemoteBatch(batch).status;
      // A batch that had nothing to finish is stopped at once.
      if (status === "Stopped") return;
    } catch (error) {
      // Which status says "already ended" is not documented: 400 and 409 do.
      if (!isRefused(error)) throw error;
      status = (await this.getBatch(call, batchId)).status;
      if (!isTerminal(status) && status !== "Stopping") throw error;
    }
    if (isTerminal(status)) throw alreadyEnded(batchId);
  }

  openResults(call: DriverCall, batch: RemoteBatch): Promise<ByteStream> {
    return concatenatedLines(
      batch.outputFileIds.map((fileId) => () =>
        this.#files.openFile(call, fileId)
      ),
    );
  }

  #readPage(call: DriverCall, after: string | null): Promise<BatchPage> {
    return this.#client.read(
      call,
      { kind: "upstream_failed", status: 404 },
      async (sdk, options) => {
        const page = await sdk.batches.list({
          limit: PAGE_BATCHES_MAX,
          ...(after === null ? {} : { after }),
        }, options);
        return {
          batches: page.data.map(tryParseBatch)
            .filter((batch) => batch !== null).map(toRemoteBatch),
          more: page.has_more === true,
        };
      },
    );
  }
}

interface BatchPage {
  readonly batches: readonly RemoteBatch[];
  readonly more: boolean;
}

function toCreateParams(order: BatchOrder): BatchCreateParams {
  return {
    input_file_id: inputFileOf(order),
    // The SDK's type lists the endpoints of its day; the server decides.
    endpoint:
      (order.endpoint ?? ENDPOINT_DEFAULT) as BatchCreateParams["endpoint"],
    completion_window: "24h",
    metadata: {
      [JOB_ID_KEY]: order.jobId,
      [JOB_NAME_KEY]: order.jobName.slice(0, METADATA_VALUE_LENGTH_MAX),
    },
  };
}

function inputFileOf(order: BatchOrder): string {
  if (order.input.kind === "file") return order.input.fileId;
  throw new GatewayError(
    { kind: "invalid_request" },
    "OpenAI's batches read their records from a file of OpenAI's.",
  );
}

function missingBatch(batchId: string): Failure {
  return { kind: "no_such_job", jobId: batchId };
}

/** Ids become path segments, and these would lead to another resource. */
function checked(batchId: string): string {
  if (batchId !== "" && batchId !== "." && batchId !== "..") return batchId;
  throw new GatewayError(
    missingBatch(batchId),
    `OpenAI has no batch "${batchId}".`,
  );
}

function alreadyEnded(batchId: string): GatewayError {
  return new GatewayError(
    { kind: "conflict" },
    `The batch "${batchId}" has already ended.`,
  );
}

function isRefused(error: unknown): boolean {
  return error instanceof GatewayError &&
    (error.failure.kind === "invalid_request" ||
      error.failure.kind === "conflict");
}
