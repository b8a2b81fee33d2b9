import { setImmediate } from "node:timers/promises";
import { createJobStore } from "../../kv/job_store.ts";
import { createLog } from "../../telemetry/log.ts";
import type { BatchApi, ProviderDriver, RemoteBatch } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { InputFiles } from "../files/input_files.ts";
import { isTerminal } from "../job_status.ts";
import { createProviders } from "../providers.ts";
import type { Job } from "./job.ts";
import { JOB_TIMING, type JobTiming } from "./job_deps.ts";
import { createSoleLeases } from "./job_leases.ts";
import { JobService } from "./job_service.ts";
import type { JobIndexEntry, JobStore, ResultEntry } from "./job_store.ts";

/** The providers that are modelled: one that is asked for results, one not. */
export type ModelProvider = "openai" | "bedrock";

export const MODEL_TIMING: JobTiming = {
  ...JOB_TIMING,
  collectWaitMs: 1_000,
  // It waits by the real clock.
  arnWaitMs: 0,
};

/** A new batch is in the provider's list this much later at most. */
const LIST_LAG_MS_MAX = 65_000;
/** No two clocks differ by more than twice this. */
const CLOCK_SKEW_MS_MAX = 25_000;
const PAGE_BATCHES = 2;
const RECORDS = 4;

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}

/** Something a replica waits for; it goes on when the world lets it. */
interface Action {
  readonly replica: Replica;
  /** Until when it must be let go on, by the world's clock. */
  readonly dueMs: number;
  /** Lets it happen, and tells the replica if that still lives. */
  release(): Promise<void>;
  /** It runs out of time, or its replica dies. */
  abandon(): Promise<void>;
}

/** A process with a clock of its own, which can be killed at any moment. */
export class Replica {
  readonly service: JobService;
  readonly skewMs: number;
  alive = true;

  constructor(world: World, skewMs: number) {
    this.skewMs = skewMs;
    const now = (): Date => new Date(world.nowMs + skewMs);
    this.service = new JobService({
      store: new GatedStore(world, this),
      providers: openProviders(world, this),
      inputs: INPUTS,
      objects: null,
      leases: createSoleLeases(),
      log: createLog("error", () => {}),
      now,
      timing: MODEL_TIMING,
    });
  }
}

interface ModelBatch {
  remote: RemoteBatch;
  readonly visibleAtMs: number;
}

/**
 * Provider, state, clock and processes, of which nothing moves by itself: each
 * read, write and call waits until it is let go on.
 */
export class World {
  readonly random: Random;
  readonly provider: ModelProvider;
  readonly store: JobStore;
  readonly batches = new Map<string, ModelBatch>();
  readonly pending: Action[] = [];
  /** When the calls that start a job's batch are over, by its last intent. */
  readonly deadlineMs = new Map<string, number>();
  replicas: Replica[] = [];
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  /** Calls go wrong only while this is set. */
  faulty = true;

  constructor(kv: Deno.Kv, seed: number) {
    this.random = new Random(seed);
    this.provider = seed % 2 === 0 ? "openai" : "bedrock";
    this.store = createJobStore(kv);
    this.replicas = [this.#newReplica(), this.#newReplica()];
  }

  #newReplica(): Replica {
    const skew = (this.random.next() * 2 - 1) * CLOCK_SKEW_MS_MAX;
    return new Replica(this, Math.round(skew));
  }

  /** Adds an action and resolves as it does, unless the replica is dead. */
  gate<T>(
    replica: Replica,
    work: () => Promise<T>,
    abandoned: () => Promise<T> | null,
    dueMs = Infinity,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!replica.alive) return promise;
    async function finish(result: Promise<T>): Promise<void> {
      try {
        const value = await result;
        if (replica.alive) resolve(value);
      } catch (error) {
        if (replica.alive) reject(error);
      }
    }
    this.pending.push({
      replica,
      dueMs,
      release: () => finish(work()),
      abandon: async () => {
        const result = abandoned();
        if (result !== null) await finish(result);
      },
    });
    return promise;
  }

  /** Lets one action go on, and waits until everything stands still again. */
  async releaseOne(): Promise<void> {
    const index = this.random.below(this.pending.length);
    const [action] = this.pending.splice(index, 1);
    await action?.release();
    await this.rest();
  }

  async advance(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const action of this.#take(({ dueMs }) => dueMs <= this.nowMs)) {
      await action.abandon();
    }
    await this.rest();
  }

  /** A process dies: what it waits for happens or not, and it never knows. */
  async kill(index: number): Promise<void> {
    const victim = this.replicas[index];
    if (victim === undefined) return;
    victim.alive = false;
    for (const action of this.#take(({ replica }) => replica === victim)) {
      if (this.random.chance(0.5)) await action.release();
      else await action.abandon();
    }
    this.replicas[index] = this.#newReplica();
    await this.rest();
  }

  /** Nothing is left to happen but what is pending. */
  async rest(): Promise<void> {
    await setImmediate();
  }

  #take(chosen: (action: Action) => boolean): Action[] {
    const taken = this.pending.filter(chosen);
    for (const action of taken) {
      this.pending.splice(this.pending.indexOf(action), 1);
    }
    return taken;
  }

  /** The provider starts what it was asked to. */
  start(jobId: string, mark: string, jobName: string): RemoteBatch {
    const number = this.batches.size + 1;
    const isBedrock = this.provider === "bedrock";
    const native = isBedrock
      ? String(number).padStart(12, "0")
      : `batch_${number}`;
    const remote: RemoteBatch = {
      id: isBedrock
        ? `arn:aws:bedrock:us-west-2:123456789012:model-invocation-job/${native}`
        : native,
      status: "Validating",
      counts: null,
      jobId: isBedrock ? null : jobId,
      clientRequestToken: isBedrock ? mark : null,
      name: jobName,
      modelId: "model-1",
      endpoint: null,
      inputFileId: "file-1",
      outputFileIds: [],
      createdAt: new Date(this.nowMs),
      modifiedAt: null,
      endedAt: null,
      expiresAt: null,
      message: null,
      bedrock: null,
    };
    const visibleAtMs = this.nowMs + this.#lagMs();
    this.batches.set(native, { remote, visibleAtMs });
    return remote;
  }

  /** None at all, or more often long than short. */
  #lagMs(): number {
    if (this.random.chance(0.4)) return 0;
    return Math.round(LIST_LAG_MS_MAX * Math.sqrt(this.random.next()));
  }

  /** One batch moves on, or comes to one of its ends. */
  progress(): void {
    const open = [...this.batches.values()]
      .filter(({ remote }) => !isTerminal(remote.status));
    const batch = this.random.pick(open);
    if (batch === undefined) return;
    const { status, counts } = batch.remote;
    const processed = Math.min((counts?.processed ?? 0) + 1, RECORDS);
    const moved = {
      total: RECORDS,
      processed,
      succeeded: processed,
      failed: 0,
    };
    const fate = this.random.next();
    if (status === "Stopping") this.#end(batch, "Stopped", moved);
    else if (fate < 0.1) this.#end(batch, "Failed", null);
    else if (fate < 0.2) this.#end(batch, "Expired", moved);
    else if (processed === RECORDS) this.#end(batch, "Completed", moved);
    else {
      batch.remote = { ...batch.remote, status: "InProgress", counts: moved };
    }
  }

  #end(
    batch: ModelBatch,
    status: RemoteBatch["status"],
    counts: RemoteBatch["counts"],
  ): void {
    batch.remote = {
      ...batch.remote,
      status,
      counts: counts ?? batch.remote.counts,
      outputFileIds: counts === null ? [] : [`file-out-${batch.remote.id}`],
      endedAt: new Date(this.nowMs),
    };
  }

  /** Every record of the state, foreign ones included. */
  async jobs(): Promise<Job[]> {
    const entries = await Array.fromAsync(this.store.list({
      scope: { kind: "all" },
      provider: this.provider,
      status: null,
      from: null,
      until: null,
      order: "ascending",
      after: null,
    }));
    const jobs = await this.store.getMany(entries.map(({ jobId }) => jobId));
    return jobs.filter((job) => job !== null).map(({ value }) => value);
  }
}

/** The state could not be reached, or did not answer. */
export class StateError extends Error {
  override readonly name = "StateError";
}

/** The real store, each of whose answers waits until it is let go on. */
class GatedStore implements JobStore {
  readonly #world: World;
  readonly #replica: Replica;

  constructor(world: World, replica: Replica) {
    this.#world = world;
    this.#replica = replica;
  }

  #gate<T>(work: (store: JobStore) => Promise<T>): Promise<T> {
    const { store } = this.#world;
    return this.#world.gate(this.#replica, async () => {
      const fate = this.#world.faulty ? this.#world.random.next() : 1;
      if (fate < 0.01) throw new StateError("refused");
      const answer = await work(store);
      if (fate < 0.02) throw new StateError("the answer was lost");
      return answer;
    }, () => null);
  }

  /** Notes until when the call that this intent announces may last. */
  #note({ id, submission }: Job): void {
    if (submission.state !== "sending") return;
    const dueMs = submission.deadlineAt.getTime() - this.#replica.skewMs;
    this.#world.deadlineMs.set(id, dueMs);
  }

  async *#gateAll<T>(list: (store: JobStore) => AsyncIterable<T>) {
    yield* await this.#gate((store) => Array.fromAsync(list(store)));
  }

  get: JobStore["get"] = (id) => this.#gate((store) => store.get(id));

  getMany: JobStore["getMany"] = (ids) =>
    this.#gate((store) => store.getMany(ids));

  findAlias: JobStore["findAlias"] = (provider, text) =>
    this.#gate((store) => store.findAlias(provider, text));

  ownerOfFile: JobStore["ownerOfFile"] = (provider, fileId) =>
    this.#gate((store) => store.ownerOfFile(provider, fileId));

  findToken: JobStore["findToken"] = (tenant, token) =>
    this.#gate((store) => store.findToken(tenant, token));

  create: JobStore["create"] = (job, token) => {
    this.#note(job);
    return this.#gate((store) => store.create(job, token));
  };

  update: JobStore["update"] = (previous, next) =>
    this.#gate(async (store) => {
      const written = await store.update(previous, next);
      if (written !== null) this.#note(next);
      return written;
    });

  remove: JobStore["remove"] = (previous) =>
    this.#gate((store) => store.remove(previous));

  list(query: Parameters<JobStore["list"]>[0]): AsyncIterable<JobIndexEntry> {
    return this.#gateAll((store) => store.list(query));
  }

  listOpen(provider: ModelProvider): AsyncIterable<string> {
    return this.#gateAll((store) => store.listOpen(provider));
  }

  historyImported: JobStore["historyImported"] = (provider) =>
    this.#gate((store) => store.historyImported(provider));

  markHistoryImported: JobStore["markHistoryImported"] = (provider) =>
    this.#gate((store) => store.markHistoryImported(provider));

  findResult: JobStore["findResult"] = (...place) =>
    this.#gate((store) => store.findResult(...place));

  listResults(
    ...page: Parameters<JobStore["listResults"]>
  ): AsyncIterable<ResultEntry> {
    return this.#gateAll((store) => store.listResults(...page));
  }
}

/** The provider as one replica's driver sees it. */
function modelBatches(world: World, replica: Replica): BatchApi {
  function read<T>(answer: () => T): Promise<T> {
    return world.gate(
      replica,
      () => {
        if (world.faulty && world.random.chance(0.1)) return fail("late");
        return Promise.resolve().then(answer);
      },
      () => fail<T>("late"),
      world.nowMs + 30_000,
    );
  }
  function page(after: string | null): RemoteBatch[] {
    const shown = [...world.batches.values()].toReversed()
      .filter(({ visibleAtMs }) => visibleAtMs <= world.nowMs)
      .map(({ remote }) => remote);
    const start = shown.findIndex(({ id }) => id === after) + 1;
    return shown.slice(start, start + PAGE_BATCHES);
  }
  function find(batchId: string): ModelBatch {
    const batch = world.batches.get(batchId);
    if (batch !== undefined) return batch;
    throw new GatewayError({ kind: "no_such_job", jobId: batchId }, "absent");
  }
  return {
    kind: "batches",
    results: world.provider === "openai" ? "collected" : "in_place",
    inputBytesMax: 1_000_000,
    recordsMax: 1_000,
    isBatchId: () => true,
    startBatch(_call, order) {
      const mark = order.bedrock?.clientRequestToken ?? "";
      const start = (): RemoteBatch =>
        world.start(order.jobId, mark, order.jobName);
      return world.gate(
        replica,
        () => {
          const fate = world.faulty ? world.random.next() : 1;
          if (fate < 0.1) return fail("refused");
          if (fate < 0.2) return fail("limited");
          if (fate < 0.35) return fail("late");
          const batch = start();
          return fate < 0.5 ? fail("late") : Promise.resolve(batch);
        },
        () => {
          // The request may have got through before time was up.
          if (world.random.chance(0.5)) start();
          return fail("late");
        },
        world.deadlineMs.get(order.jobId) ?? Infinity,
      );
    },
    getBatch: (_call, batchId) => read(() => find(batchId).remote),
    async *listBatches() {
      let after: string | null = null;
      for (;;) {
        const batches: RemoteBatch[] = await read(() => page(after));
        if (batches.length === 0) return;
        yield batches;
        after = batches.at(-1)?.id ?? null;
      }
    },
    stopBatch: (_call, batchId) =>
      read(() => {
        const batch = find(batchId);
        if (isTerminal(batch.remote.status)) {
          throw new GatewayError({ kind: "conflict" }, "ended");
        }
        batch.remote = { ...batch.remote, status: "Stopping" };
      }),
    openResults: (_call, batch) =>
      read(() => {
        const lines = resultLine().repeat(batch.counts?.processed ?? 0);
        return ReadableStream.from([new TextEncoder().encode(lines)]);
      }),
  };
}

function fail<T>(how: "refused" | "limited" | "late"): Promise<T> {
  const failure = {
    refused: { kind: "invalid_request" },
    limited: { kind: "rate_limited", retryAfterMs: 5_000 },
    late: { kind: "upstream_timeout" },
  } as const;
  return Promise.reject(new GatewayError(failure[how], how));
}

function resultLine(): string {
  const usage = { prompt_tokens: 3, completion_tokens: 5 };
  const response = { status_code: 200, body: { usage } };
  return `${JSON.stringify({ custom_id: "a", response, error: null })}\n`;
}

function openProviders(
  world: World,
  replica: Replica,
): ReturnType<typeof createProviders> {
  const unused = (): never => {
    throw new Error("unused");
  };
  const driver: ProviderDriver = {
    provider: world.provider,
    storage: world.provider === "openai"
      ? { kind: "none", reason: "unused" }
      : {
        kind: "objects",
        forward: unused,
        headObject: unused,
        openObject: unused,
        listObjects: unused,
      },
    batches: modelBatches(world, replica),
    models: { listModels: unused, getModel: unused },
    probe: () => Promise.resolve(),
    close: () => {},
  };
  const off = { on: false, reason: "off" } as const;
  return createProviders({
    setups: {
      bedrock: off,
      openai: off,
      gemini: off,
      anthropic: off,
      [world.provider]: { on: true, open: () => Promise.resolve(driver) },
    },
    buckets: new Map(),
    defaultProvider: world.provider,
  });
}

const INPUTS: InputFiles = {
  findInput: () => Promise.resolve(null),
  findFile: (_call, _provider, fileId) =>
    Promise.resolve({
      fileId,
      sizeBytes: 100,
      heldBy: "provider",
      format: "openai",
      fileName: "input.jsonl",
    }),
  waitUntilReady: () => Promise.resolve(),
  openInput: () => Promise.resolve(ReadableStream.from([new Uint8Array()])),
};
