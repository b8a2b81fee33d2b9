import { assert, assertEquals } from "@std/assert";
import type { RecordCounts } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import { isTerminal, type JobStatus, mayMove } from "../job_status.ts";
import type { Job, JobRequest } from "./job.ts";
import { ADMIN_CALL as CALL, jobRequest } from "./job_request_fixture.ts";
import {
  MODEL_TIMING,
  type Replica,
  StateError,
  World,
} from "./job_model_fixture.ts";

/** FINOPS_TEST_FULL=1 tries this many times as many seeds. */
const SEEDS = Deno.env.get("FINOPS_TEST_FULL") === "1" ? 2_000 : 60;
const STEPS = 150;
const TOKENS = ["token-a", "token-b", "token-c"];

function request(token: string): JobRequest {
  return jobRequest({
    jobName: token,
    clientRequestToken: token,
    modelInvocationType: "Converse",
  });
}

/** What clients do and are told, and what must never be otherwise. */
class Run {
  readonly #world: World;
  readonly #arns = new Map<string, string>();
  readonly #seen = new Map<string, Job>();
  /** Tokens whose job someone asked to stop. */
  readonly #stopped = new Set<string>();
  readonly #broken: unknown[] = [];
  readonly #shown = new Map<string, JobStatus>();

  constructor(world: World) {
    this.#world = world;
  }

  async step(): Promise<void> {
    const { random, pending } = this.#world;
    const dice = random.next();
    if (pending.length > 0 && dice < 0.7) await this.#world.releaseOne();
    else if (dice < 0.85) this.#act();
    else if (dice < 0.92) {
      const isMoment = random.chance(0.5);
      await this.#world.advance(random.below(isMoment ? 2_500 : 40_000));
    } else if (dice < 0.97) this.#world.progress();
    else await this.#world.kill(random.below(this.#world.replicas.length));
    await this.#world.rest();
    await this.check();
  }

  /** A client, or a replica's own loop, does something somewhere. */
  #act(): void {
    const { random, replicas, provider } = this.#world;
    const replica = random.pick(replicas);
    const token = random.pick(TOKENS);
    if (replica === undefined || token === undefined) return;
    const dice = random.next();
    if (dice < 0.3) this.#watch(this.#create(replica, token));
    else if (dice < 0.45) this.#watch(this.#get(replica, token));
    else if (dice < 0.48) this.#watch(this.#stop(replica, token));
    else this.#watch(replica.service.reconcile(provider));
  }

  /** Calls may fail, for instance where the provider did; promises may not. */
  #watch(call: Promise<void>): void {
    call.catch((error) => {
      const isExpected = error instanceof GatewayError ||
        error instanceof StateError;
      if (!isExpected) this.#broken.push(error);
    });
  }

  async #create(replica: Replica, token: string): Promise<void> {
    const { provider } = this.#world;
    const job = await replica.service.create(CALL, provider, request(token));
    const before = this.#arns.get(token) ?? job.arn;
    assertEquals(job.arn, before, "another ARN for the same token");
    this.#arns.set(token, job.arn);
  }

  async #get(replica: Replica, token: string): Promise<void> {
    const identifier = this.#arns.get(token);
    if (identifier === undefined) return;
    const before = this.#shown.get(identifier);
    const job = await replica.service.get(CALL, {
      identifier,
      fallback: () => this.#world.provider,
    });
    assertEquals(job.request.jobName, token, "another job under an ARN");
    assertForward(before ?? job.status, job.status);
    const now = this.#shown.get(identifier) ?? job.status;
    // Answers may overtake each other; the later state stays.
    if (now === job.status || mayMove(now, job.status)) {
      this.#shown.set(identifier, job.status);
    }
  }

  async #stop(replica: Replica, token: string): Promise<void> {
    const identifier = this.#arns.get(token);
    if (identifier === undefined) return;
    this.#stopped.add(token);
    await replica.service.stop(CALL, {
      identifier,
      fallback: () => this.#world.provider,
    });
  }

  async check(): Promise<void> {
    const [broken] = this.#broken;
    if (broken !== undefined) throw broken;
    const { batches } = this.#world;
    const names = [...batches.values()].map(({ remote }) => remote.name);
    assertEquals(names.length, new Set(names).size, "two batches for a token");
    for (const job of await this.#world.jobs()) {
      this.#checkJob(job);
      this.#seen.set(job.id, job);
    }
  }

  #checkJob(job: Job): void {
    assert(job.tenant !== null, "a job's batch was taken for a foreign one");
    const before = this.#seen.get(job.id) ?? job;
    assertForward(before.status, job.status);
    assertGrown(before.counts, job.counts);
    const isWithdrawn = job.submission.state === "withdrawn";
    if (job.batchId !== null) {
      const batch = this.#world.batches.get(job.batchId)?.remote;
      assertEquals(batch?.name, job.request.jobName, "another job's batch");
    }
    assertEquals(
      job.batchId !== null,
      job.submission.state === "accepted",
      "accepted without a batch, or a batch without that",
    );
    const mustBeReadable = this.#world.provider === "openai" &&
      isTerminal(job.status) && job.status !== "Failed" && !isWithdrawn;
    if (mustBeReadable) assert(job.result !== null, "an end without results");
    assertEquals(job.endedAt !== null, isTerminal(job.status));
  }

  /** Nothing goes wrong any more, and time passes. */
  async settle(): Promise<void> {
    const world = this.#world;
    world.faulty = false;
    const [replica] = world.replicas;
    for (let round = 1; round <= 40; round++) {
      replica?.service.reconcile(world.provider).catch(() => {});
      await world.rest();
      while (world.pending.length > 0) {
        await world.releaseOne();
        await this.check();
      }
      await world.advance(MODEL_TIMING.submitTimeoutMs / 2);
      for (let i = 0; i < 4; i++) world.progress();
    }
  }

  async checkEnd(): Promise<void> {
    const { batches } = this.#world;
    const jobs = await this.#world.jobs();
    for (const job of jobs) {
      const { state } = job.submission;
      assert(isTerminal(job.status), `a job stays ${job.status}, ${state}`);
    }
    for (const [token, arn] of this.#arns) {
      const job = jobs.find(({ request }) => request.jobName === token);
      assertEquals(job?.arn, arn, "a job that was given out is gone");
      const isOver = job?.submission.state === "withdrawn";
      if (isOver && job.status === "Stopped") assert(this.#stopped.has(token));
    }
    const accepted = jobs.filter(({ submission }) =>
      submission.state === "accepted"
    );
    assertEquals(accepted.length, batches.size, "batches without a job");
  }
}

function assertForward(before: JobStatus, after: JobStatus): void {
  assert(
    before === after || mayMove(before, after),
    `a status moved from ${before} to ${after}`,
  );
}

function assertGrown(
  before: RecordCounts | null,
  after: RecordCounts | null,
): void {
  if (before === null) return;
  for (const name of ["total", "processed", "succeeded", "failed"] as const) {
    const count = after?.[name] ?? -1;
    assert(count >= before[name], `the count ${name} decreased`);
  }
}

Deno.test("jobs keep their promises in every interleaving tried", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    using kv = await Deno.openKv(":memory:");
    const run = new Run(new World(kv, seed));
    try {
      for (let step = 1; step <= STEPS; step++) await run.step();
      await run.settle();
      await run.checkEnd();
    } catch (error) {
      throw new Error(`with the seed ${seed}`, { cause: error });
    }
  }
});
