import type {
  BatchApi,
  BatchOrder,
  DriverCall,
  ProviderDriver,
  RemoteBatch,
} from "../../src/domain/driver.ts";
import { GatewayError } from "../../src/domain/failure.ts";
import type { InputFiles } from "../../src/domain/files/input_files.ts";
import { JOB_TIMING, type JobDeps } from "../../src/domain/jobs/job_deps.ts";
import { createSoleLeases } from "../../src/domain/jobs/job_leases.ts";
import { createProviders } from "../../src/domain/providers.ts";
import type { ProviderName } from "../../src/domain/provider.ts";
import { createJobStore } from "../../src/kv/job_store.ts";
import { createLog } from "../../src/telemetry/log.ts";

/** What happens to the next call that starts a batch. */
export type StartFate =
  | "answer"
  | "lose_answer"
  | "lose_request"
  | "refuse"
  | "limit"
  | "hold_request"
  | "hold_answer";

/**
 * A provider in memory, for tests of the jobs domain alone: it keeps batches,
 * ignores idempotency, and its list may lag. The real drivers are tested
 * against the simulators.
 */
export class MemoryBatches implements BatchApi {
  readonly kind = "batches";
  readonly results = "collected";
  readonly inputBytesMax = 1_000_000;
  readonly recordsMax = 1_000;
  readonly batches = new Map<string, RemoteBatch>();
  readonly hidden = new Set<string>();
  readonly calls = { start: 0, get: 0, list: 0, stop: 0, results: 0 };
  fate: StartFate = "answer";
  /** What calls with the fate `hold_…` wait for. */
  held: Promise<void> = Promise.resolve();
  /** Batches a page of the list, which comes newest first. */
  pageSize = 1_000;
  resultLines = "";

  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  isBatchId(text: string): boolean {
    return text.startsWith("batch_");
  }

  async startBatch(
    _call: DriverCall,
    order: BatchOrder,
  ): Promise<RemoteBatch> {
    this.calls.start++;
    if (this.fate === "hold_request") await this.held;
    // Whoever let it go on may have chosen another fate meanwhile.
    const { fate } = this;
    if (fate === "refuse") {
      throw new GatewayError({ kind: "invalid_request" }, "no such model");
    }
    if (fate === "limit") {
      throw new GatewayError(
        { kind: "rate_limited", retryAfterMs: 7_000 },
        "slow down",
      );
    }
    if (fate === "lose_request") throw timedOut();
    const batch = this.add({ jobId: order.jobId, name: order.jobName });
    if (fate === "hold_answer") await this.held;
    if (fate === "lose_answer") throw timedOut();
    return batch;
  }

  /** A batch as if someone had started it; `change` says what is known of it. */
  add(change: Partial<RemoteBatch>): RemoteBatch {
    const batch: RemoteBatch = {
      id: `batch_${this.batches.size + 1}`,
      status: "Validating",
      counts: null,
      jobId: null,
      clientRequestToken: null,
      name: null,
      modelId: "model-1",
      endpoint: "/v1/chat/completions",
      inputFileId: "file-1",
      outputFileIds: [],
      createdAt: this.#now(),
      modifiedAt: null,
      endedAt: null,
      expiresAt: null,
      message: null,
      bedrock: null,
      ...change,
    };
    this.batches.set(batch.id, batch);
    return batch;
  }

  change(id: string, change: Partial<RemoteBatch>): void {
    const batch = this.batches.get(id);
    if (batch !== undefined) this.batches.set(id, { ...batch, ...change });
  }

  getBatch(_call: DriverCall, batchId: string): Promise<RemoteBatch> {
    this.calls.get++;
    const batch = this.batches.get(batchId);
    return batch === undefined
      ? Promise.reject(
        new GatewayError({ kind: "no_such_job", jobId: batchId }, "absent"),
      )
      : Promise.resolve(batch);
  }

  async *listBatches(): AsyncIterable<readonly RemoteBatch[]> {
    this.calls.list++;
    await Promise.resolve();
    const shown = [...this.batches.values()].reverse()
      .filter(({ id }) => !this.hidden.has(id));
    for (let at = 0; at < shown.length; at += this.pageSize) {
      yield shown.slice(at, at + this.pageSize);
    }
  }

  stopBatch(_call: DriverCall, batchId: string): Promise<void> {
    this.calls.stop++;
    this.change(batchId, { status: "Stopping" });
    return Promise.resolve();
  }

  openResults(): Promise<ReadableStream<Uint8Array>> {
    this.calls.results++;
    return Promise.resolve(new Blob([this.resultLines]).stream());
  }
}

function timedOut(): GatewayError {
  return new GatewayError({ kind: "upstream_timeout" }, "no answer in time");
}

/** Every file exists, with one record in OpenAI's format. */
const INPUTS: InputFiles = {
  findInput: () => Promise.resolve(null),
  findFile: (_call, _provider, fileId) =>
    Promise.resolve(
      fileId.startsWith("file-")
        ? {
          fileId,
          sizeBytes: 100,
          heldBy: "provider",
          format: "openai",
          fileName: "input.jsonl",
        }
        : null,
    ),
  waitUntilReady: () => Promise.resolve(),
  openInput: () =>
    Promise.resolve(
      new Blob(['{"custom_id":"a","url":"/v1/chat/completions"}\n']).stream(),
    ),
};

/** A clock that moves only when told to. */
export class ManualClock {
  #nowMs = Date.parse("2026-01-01T00:00:00Z");

  readonly now = (): Date => new Date(this.#nowMs);

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

export interface JobHarness {
  readonly deps: JobDeps;
  readonly batches: MemoryBatches;
  readonly clock: ManualClock;
}

/** The jobs domain over a KV in memory and one provider in memory. */
export function openJobHarness(
  kv: Deno.Kv,
  provider: ProviderName = "openai",
): JobHarness {
  const clock = new ManualClock();
  const batches = new MemoryBatches(clock.now);
  const driver: ProviderDriver = {
    provider,
    storage: { kind: "none", reason: "unused" },
    batches,
    models: {
      listModels: () => Promise.resolve([]),
      getModel: () => Promise.reject(new Error("unused")),
    },
    probe: () => Promise.resolve(),
    close: () => {},
  };
  const off = { on: false, reason: "off" } as const;
  const providers = createProviders({
    setups: {
      bedrock: off,
      openai: off,
      gemini: off,
      anthropic: off,
      [provider]: { on: true, open: () => Promise.resolve(driver) },
    },
    buckets: new Map(),
    defaultProvider: provider,
  });
  return {
    batches,
    clock,
    deps: {
      store: createJobStore(kv),
      providers,
      inputs: INPUTS,
      objects: null,
      leases: createSoleLeases(),
      log: createLog("error", () => {}),
      now: clock.now,
      timing: JOB_TIMING,
    },
  };
}
