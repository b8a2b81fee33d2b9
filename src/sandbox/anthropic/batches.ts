import { z } from "zod";
import { JsonLinesWriter } from "../jsonl.ts";
import type { DataFolder, Pace } from "../simulator.ts";
import {
  type MessageBatch,
  requestsName,
  resultsName,
  runBatch,
} from "./batch_run.ts";
import { AnthropicError, newId } from "./error.ts";
import { listPage } from "./list.ts";
import { issueError } from "./message_request.ts";
import { RequestScanner } from "./request_scanner.ts";

/** Anthropic API, Message Batches: limits of one batch. */
const REQUESTS_MAX = 100_000;
const BODY_BYTES_MAX = 256 * 1024 * 1024;
const LIFE_MS = 24 * 3600 * 1000;

const requestSchema = z.strictObject({
  custom_id: z.string().regex(
    /^[a-zA-Z0-9_-]{1,64}$/,
    "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
  ),
  params: z.looseObject({}),
});

/** The message batches of the simulated workspace. */
export class MessageBatches {
  readonly #folder: DataFolder;
  readonly #pace: Pace;
  readonly #listDelayMs: number;
  /** In order of creation. */
  readonly #batches = new Map<string, MessageBatch>();

  constructor(folder: DataFolder, pace: Pace, listDelayMs: number) {
    this.#folder = folder;
    this.#pace = pace;
    this.#listDelayMs = listDelayMs;
  }

  /** POST /v1/messages/batches; what `params` hold is judged only later. */
  async create(request: Request, version: string): Promise<Response> {
    const id = newId("msgbatch");
    let total: number;
    try {
      total = await this.#receive(request, id);
    } catch (error) {
      await this.#folder.remove(requestsName(id));
      throw error;
    }
    const batch: MessageBatch = {
      id,
      version,
      total,
      createdAtMs: Date.now(),
      status: "in_progress",
      cancelInitiatedAtMs: null,
      endedAtMs: null,
      counts: { succeeded: 0, errored: 0, canceled: 0 },
    };
    this.#batches.set(id, batch);
    this.#pace.start(() => runBatch(batch, this.#folder, this.#pace));
    return Response.json(wireBatch(batch, originOf(request)));
  }

  retrieve(id: string, request: Request): Response {
    return Response.json(wireBatch(this.#get(id), originOf(request)));
  }

  /** GET /v1/messages/batches, newest first. */
  list(request: Request): Response {
    const shownUntilMs = Date.now() - this.#listDelayMs;
    const shown = [...this.#batches.values()].reverse().filter((batch) =>
      batch.createdAtMs <= shownUntilMs
    );
    const origin = originOf(request);
    const { searchParams } = new URL(request.url);
    return listPage(
      shown.map((batch) => wireBatch(batch, origin)),
      searchParams,
    );
  }

  cancel(id: string, request: Request): Response {
    const batch = this.#get(id);
    if (batch.status === "ended") {
      throw new AnthropicError(
        "invalid_request_error",
        `Batch ${id} has ended and cannot be canceled.`,
      );
    }
    batch.status = "canceling";
    batch.cancelInitiatedAtMs ??= Date.now();
    return Response.json(wireBatch(batch, originOf(request)));
  }

  async delete(id: string): Promise<Response> {
    const batch = this.#get(id);
    if (batch.status !== "ended") {
      throw new AnthropicError(
        "invalid_request_error",
        `Batch ${id} cannot be deleted before it has ended.`,
      );
    }
    this.#batches.delete(id);
    await this.#folder.remove(resultsName(id));
    return Response.json({ id, type: "message_batch_deleted" });
  }

  async results(id: string): Promise<Response> {
    if (this.#get(id).status !== "ended") {
      throw new AnthropicError(
        "not_found_error",
        `Batch ${id} has no results before it has ended.`,
      );
    }
    const path = this.#folder.pathOf(resultsName(id));
    const { readable } = await Deno.open(path);
    return new Response(readable, {
      headers: { "content-type": "application/x-jsonl" },
    });
  }

  #get(id: string): MessageBatch {
    const batch = this.#batches.get(id);
    if (batch !== undefined) return batch;
    throw new AnthropicError("not_found_error", `No such batch: ${id}`);
  }

  /** Puts the body's requests on disk, one a line; says how many they are. */
  async #receive(request: Request, id: string): Promise<number> {
    const lengthBytes = Number(request.headers.get("content-length") ?? 0);
    if (lengthBytes > BODY_BYTES_MAX) throw tooLarge();
    const scanner = new RequestScanner();
    const customIds = new Set<string>();
    const path = this.#folder.pathOf(requestsName(id));
    const writer = await JsonLinesWriter.create(path);
    let bodyBytes = 0;
    try {
      for await (const bytes of request.body ?? []) {
        bodyBytes += bytes.length;
        if (bodyBytes > BODY_BYTES_MAX) throw tooLarge();
        for (const element of scanner.push(bytes)) {
          checkRequest(element, customIds);
          await writer.write(element);
        }
      }
      scanner.end();
    } catch (error) {
      if (error instanceof AnthropicError) throw error;
      throw new AnthropicError("invalid_request_error", "The body broke off.");
    } finally {
      await writer.close();
    }
    if (customIds.size > 0) return customIds.size;
    throw new AnthropicError(
      "invalid_request_error",
      "requests: List should have at least 1 item after validation, not 0",
    );
  }
}

function checkRequest(element: unknown, customIds: Set<string>): void {
  const prefix = `requests.${customIds.size}.`;
  const parsed = requestSchema.safeParse(element);
  if (!parsed.success) throw issueError(parsed.error, prefix);
  const { custom_id } = parsed.data;
  if (customIds.has(custom_id)) {
    throw new AnthropicError(
      "invalid_request_error",
      `${prefix}custom_id: '${custom_id}' is not unique within the batch`,
    );
  }
  customIds.add(custom_id);
  if (customIds.size <= REQUESTS_MAX) return;
  throw new AnthropicError(
    "invalid_request_error",
    `requests: List should have at most ${REQUESTS_MAX} items`,
  );
}

function tooLarge(): AnthropicError {
  return new AnthropicError(
    "request_too_large",
    "Request exceeds the maximum size",
  );
}

function originOf(request: Request): string {
  return new URL(request.url).origin;
}

/** Counts are all `processing` until the batch has ended, as documented. */
function wireBatch(
  batch: MessageBatch,
  origin: string,
): { readonly id: string } {
  const { id, counts } = batch;
  const isEnded = batch.status === "ended";
  const wire = {
    id,
    type: "message_batch",
    processing_status: batch.status,
    request_counts: {
      processing: isEnded ? 0 : batch.total,
      succeeded: isEnded ? counts.succeeded : 0,
      errored: isEnded ? counts.errored : 0,
      canceled: isEnded ? counts.canceled : 0,
      expired: 0,
    },
    created_at: timeOf(batch.createdAtMs),
    expires_at: timeOf(batch.createdAtMs + LIFE_MS),
    ended_at: timeOf(batch.endedAtMs),
    cancel_initiated_at: timeOf(batch.cancelInitiatedAtMs),
    archived_at: null,
    results_url: isEnded ? `${origin}/v1/messages/batches/${id}/results` : null,
  };
  return wire;
}

function timeOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
