import type { ByteStream } from "../../domain/bytes.ts";
import type {
  BatchApi,
  BatchOrder,
  DriverCall,
  FileStorage,
  RemoteBatch,
} from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import { isTerminal } from "../../domain/job_status.ts";
import { checkedBody, withBoundedBody } from "../http_client.ts";
import { concatenatedLines } from "../json_lines.ts";
import { FILE_BYTES_MAX, type GeminiClient } from "./client.ts";
import { ArrayLines, EmptiedArrays } from "./json_array.ts";
import { checkedModelPath } from "./models.ts";
import {
  type BatchPage,
  parseBatch,
  parseBatchPage,
  toLabel,
  toRemoteBatch,
  type WireBatch,
  withoutCollection,
} from "./wire.ts";

const PAGE_BATCHES_MAX = 100;
/** For servers whose pages never end. */
const PAGES_MAX = 10_000;
/** Batches made of inline requests carry their records in every answer. */
const BULKY_KEYS = ["requests", "inlinedResponses"];

/** Gemini's batch mode. Ids go without `batches/`. */
export class GeminiBatches implements BatchApi {
  readonly kind = "batches";
  readonly results = "collected";
  readonly inputBytesMax = FILE_BYTES_MAX;
  /**
   * Gemini documents no bound but the file's 2 GB. This one is the gateway's,
   * beyond what that file holds of ordinary prompts of 2 KB.
   */
  readonly recordsMax = 1_000_000;
  readonly #client: GeminiClient;
  readonly #files: FileStorage;

  constructor(client: GeminiClient, files: FileStorage) {
    this.#client = client;
    this.#files = files;
  }

  isBatchId(text: string): boolean {
    return /^(batches\/)?[A-Za-z0-9_-]{1,100}$/.test(text);
  }

  async startBatch(call: DriverCall, order: BatchOrder): Promise<RemoteBatch> {
    const model = checkedModelPath(order.modelId);
    const method = /embedding/.test(model)
      ? "asyncBatchEmbedContent"
      : "batchGenerateContent";
    const batch = await this.#client.post(
      call,
      { kind: "no_such_resource", resource: order.modelId },
      `/v1beta/${model}:${method}`,
      {
        batch: {
          displayName: toLabel(order.jobName, order.jobId),
          inputConfig: { fileName: inputFileOf(order) },
        },
      },
      readBatch,
    );
    return toRemoteBatch(batch);
  }

  async getBatch(call: DriverCall, batchId: string): Promise<RemoteBatch> {
    const batch = await this.#client.get(
      call,
      missingBatch(batchId),
      `/v1beta/${nameOf(batchId)}`,
      readBatch,
    );
    return toRemoteBatch(batch);
  }

  async *listBatches(call: DriverCall): AsyncIterable<readonly RemoteBatch[]> {
    let pageToken: string | null = null;
    for (let pageNumber = 1; pageNumber <= PAGES_MAX; pageNumber++) {
      const page: BatchPage = await this.#readPage(call, pageToken);
      // The order is not documented; within a page it can be made sure of.
      yield page.batches.map(toRemoteBatch).sort((a, b) =>
        b.createdAt.getTime() - a.createdAt.getTime()
      );
      if (page.nextPageToken === pageToken) return;
      pageToken = page.nextPageToken;
      if (pageToken === null) return;
    }
  }

  /** Cancelling what has ended is answered like success, hence the look. */
  async stopBatch(call: DriverCall, batchId: string): Promise<void> {
    const name = nameOf(batchId);
    await this.#refuseEnded(call, batchId);
    try {
      await this.#client.write(
        call,
        missingBatch(batchId),
        (sdk, abortSignal) =>
          sdk.batches.cancel({ name, config: { abortSignal } }),
      );
    } catch (error) {
      // It may have ended just now.
      await this.#refuseEnded(call, batchId);
      throw error;
    }
  }

  async openResults(
    call: DriverCall,
    batch: RemoteBatch,
  ): Promise<ByteStream> {
    if (batch.outputFileIds.length === 0) {
      return await this.#openInlined(call, batch.id);
    }
    return await concatenatedLines(
      batch.outputFileIds.map((fileId) => () =>
        this.#files.openFile(call, fileId)
      ),
    );
  }

  /** Results of inline requests stand in the batch itself. */
  async #openInlined(call: DriverCall, batchId: string): Promise<ByteStream> {
    const response = await this.#client.open(
      call,
      missingBatch(batchId),
      `/v1beta/${nameOf(batchId)}`,
    );
    return checkedBody(response, call, this.#client.upstream)
      .pipeThrough(new ArrayLines("inlinedResponses"));
  }

  async #refuseEnded(call: DriverCall, batchId: string): Promise<void> {
    const { status } = await this.getBatch(call, batchId);
    if (!isTerminal(status)) return;
    throw new GatewayError(
      { kind: "conflict" },
      `The batch "${batchId}" has already ended.`,
    );
  }

  #readPage(call: DriverCall, pageToken: string | null): Promise<BatchPage> {
    const query = new URLSearchParams({ pageSize: String(PAGE_BATCHES_MAX) });
    if (pageToken !== null) query.set("pageToken", pageToken);
    return this.#client.get(
      call,
      { kind: "upstream_failed", status: 404 },
      `/v1beta/batches?${query}`,
      async (response) => parseBatchPage(await readSlimJson(response)),
    );
  }
}

async function readBatch(response: Response): Promise<WireBatch> {
  return parseBatch(await readSlimJson(response));
}

async function readSlimJson(response: Response): Promise<unknown> {
  const body = response.body?.pipeThrough(new EmptiedArrays(BULKY_KEYS));
  return await withBoundedBody(new Response(body ?? null)).json();
}

function inputFileOf(order: BatchOrder): string {
  if (order.input.kind === "file") {
    return `files/${withoutCollection(order.input.fileId)}`;
  }
  throw new GatewayError(
    { kind: "invalid_request" },
    "Gemini's batches read their records from a file of Gemini's.",
  );
}

function missingBatch(batchId: string): Failure {
  return { kind: "no_such_job", jobId: batchId };
}

/** `batches/<id>`; the id becomes part of a path. */
function nameOf(batchId: string): string {
  const id = withoutCollection(batchId);
  if (/^[A-Za-z0-9_-]{1,100}$/.test(id)) return `batches/${id}`;
  throw new GatewayError(
    missingBatch(batchId),
    `Gemini has no batch "${batchId}".`,
  );
}
