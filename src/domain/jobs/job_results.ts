import { createHash } from "node:crypto";
import { LineSplitter } from "../../records/json_lines.ts";
import {
  readResultLine,
  type ResultFormat,
} from "../../records/result_line.ts";
import type { BatchApi, DriverCall, RemoteBatch } from "../driver.ts";
import type { ObjectStore } from "../object_store.ts";
import type { Job } from "./job.ts";
import type { CollectedResults } from "./job_progress.ts";

/** Where a job's lines rest in the object store. */
export function resultStoreKey(jobId: string): string {
  return `results/${jobId}/output.jsonl`;
}

/**
 * Brings an ended batch's lines into the object store, once, counting records
 * and tokens on the way. Without a store the lines are only counted. Doing it
 * again after a kill, or on two replicas at once, stores the same bytes.
 */
export async function collectResults(
  call: DriverCall,
  job: Job,
  source: { readonly batches: BatchApi; readonly batch: RemoteBatch },
  deps: { readonly store: ObjectStore | null; readonly now: () => Date },
): Promise<CollectedResults> {
  const lines = await source.batches.openResults(call, source.batch);
  const tally = new ResultTally(formatOf(job));
  const counted = lines.pipeThrough(tally.tap());
  const storeKey = deps.store === null ? null : resultStoreKey(job.id);
  if (deps.store === null || storeKey === null) {
    await counted.pipeTo(new WritableStream());
  } else {
    await deps.store.put(storeKey, counted, call.signal);
  }
  return {
    result: {
      storeKey,
      sizeBytes: tally.sizeBytes,
      etag: tally.md5Hex(),
      storedAt: deps.now(),
    },
    counts: {
      total: tally.succeeded + tally.failed,
      processed: tally.succeeded + tally.failed,
      succeeded: tally.succeeded,
      failed: tally.failed,
    },
    tokens: { input: tally.inputTokens, output: tally.outputTokens },
  };
}

function formatOf(job: Job): ResultFormat {
  return job.provider === "gemini" ? "gemini" : "openai";
}

/** Counts lines as they pass. */
class ResultTally {
  readonly #format: ResultFormat;
  readonly #md5 = createHash("md5");
  sizeBytes = 0;
  succeeded = 0;
  failed = 0;
  inputTokens = 0;
  outputTokens = 0;

  constructor(format: ResultFormat) {
    this.#format = format;
  }

  /** Passes bytes on untouched, with back pressure, counting as they go. */
  tap(): TransformStream<Uint8Array, Uint8Array> {
    const splitter = new LineSplitter();
    return new TransformStream({
      transform: (chunk, controller) => {
        this.#md5.update(chunk);
        this.sizeBytes += chunk.length;
        for (const line of splitter.push(chunk)) this.#count(line);
        controller.enqueue(chunk);
      },
      flush: () => {
        for (const line of splitter.end()) this.#count(line);
      },
    });
  }

  #count(line: Uint8Array): void {
    const result = readResultLine(this.#format, line);
    if (result.succeeded) this.succeeded++;
    else this.failed++;
    this.inputTokens += result.inputTokens;
    this.outputTokens += result.outputTokens;
  }

  md5Hex(): string {
    return this.#md5.digest("hex");
  }
}
