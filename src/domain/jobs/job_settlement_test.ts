import { assertEquals, assertRejects } from "@std/assert";
import {
  type JobHarness,
  ManualClock,
  openJobHarness,
} from "../../../tests/support/memory_provider.ts";
import { GatewayError } from "../failure.ts";
import { deriveJobId, type Job } from "./job.ts";
import { ADMIN_CALL as CALL, jobRequest } from "./job_request_fixture.ts";
import { JobService } from "./job_service.ts";

const REQUEST = jobRequest();

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

class Bench {
  readonly jobs: JobService;
  readonly harness: JobHarness;

  constructor(kv: Deno.Kv) {
    this.harness = openJobHarness(kv);
    this.jobs = new JobService(this.harness.deps);
  }

  get batches(): JobHarness["batches"] {
    return this.harness.batches;
  }

  create(): Promise<Job> {
    return this.jobs.create(CALL, "openai", REQUEST);
  }

  get(identifier: string): Promise<Job> {
    return this.jobs.get(CALL, { identifier, fallback: () => "openai" });
  }

  stop(identifier: string): Promise<void> {
    return this.jobs.stop(CALL, { identifier, fallback: () => "openai" });
  }

  async sweepAfter(ms: number): Promise<void> {
    this.harness.clock.advance(ms);
    await this.jobs.reconcile("openai");
  }

  /** Sweeps until a job that never reached the provider is proven so. */
  async sweepUntilProven(): Promise<void> {
    await this.sweepAfter(MINUTE_MS);
    await this.sweepAfter(2 * MINUTE_MS);
  }

  async listNames(): Promise<string[]> {
    const page = await this.jobs.list(CALL, "openai", {
      status: null,
      nameContains: null,
      submittedAfter: null,
      submittedBefore: null,
      order: "ascending",
      pageSize: 100,
      nextToken: null,
    });
    return page.jobs.map(({ request }) => request.jobName);
  }
}

function testSettlement(
  name: string,
  body: (bench: Bench) => Promise<void>,
): void {
  Deno.test(`settlement: ${name}`, async () => {
    using kv = await Deno.openKv(":memory:");
    await body(new Bench(kv));
  });
}

testSettlement(
  "however many lists lack a batch, the margin is waited for",
  async (bench) => {
    bench.batches.fate = "lose_answer";
    await assertRejects(() => bench.create());
    bench.batches.fate = "answer";
    bench.batches.hidden.add("batch_1");
    await bench.sweepAfter(51_000);
    for (let sweep = 1; sweep <= 11; sweep++) await bench.sweepAfter(10_000);
    bench.batches.hidden.clear();
    await bench.sweepAfter(10_000);
    assertEquals(bench.batches.calls.start, 1);
  },
);

testSettlement(
  "a sweeper whose clock is an hour ahead waits as long",
  async (bench) => {
    const { deps, batches } = bench.harness;
    const ahead = new ManualClock();
    ahead.advance(HOUR_MS);
    const sweeper = new JobService({ ...deps, now: ahead.now });
    batches.fate = "lose_answer";
    await assertRejects(() => bench.create());
    batches.hidden.add("batch_1");
    for (let sweep = 1; sweep <= 11; sweep++) {
      await sweeper.reconcile("openai");
      ahead.advance(10_000);
    }
    assertEquals(batches.calls.start, 1);
  },
);

testSettlement(
  "a list in no order is read to its end before a job is sent again",
  async (bench) => {
    bench.batches.fate = "lose_answer";
    await assertRejects(() => bench.create());
    bench.batches.fate = "answer";
    bench.batches.pageSize = 1;
    bench.batches.add({ createdAt: new Date(0) });
    bench.batches.hidden.add("batch_1");
    await bench.sweepAfter(MINUTE_MS);
    bench.batches.hidden.clear();
    await bench.sweepAfter(2 * MINUTE_MS);
    assertEquals(bench.batches.calls.start, 1);
    assertEquals((await bench.create()).batchId, "batch_1");
  },
);

testSettlement(
  "a rate limit is waited out, not another margin",
  async (bench) => {
    bench.batches.fate = "lose_request";
    await assertRejects(() => bench.create());
    bench.batches.fate = "limit";
    await bench.sweepUntilProven();
    bench.batches.fate = "answer";
    await bench.sweepAfter(6_000);
    assertEquals(bench.batches.batches.size, 0);
    await bench.sweepAfter(2_000);
    assertEquals(bench.batches.batches.size, 1);
  },
);

testSettlement(
  "a job that is refused when sent again fails and says why",
  async (bench) => {
    bench.batches.fate = "lose_request";
    await assertRejects(() => bench.create());
    bench.batches.fate = "refuse";
    const { arn } = await bench.create();
    await bench.sweepUntilProven();
    const job = await bench.get(arn);
    assertEquals([job.status, job.message], ["Failed", "no such model"]);
    assertEquals((await bench.create()).arn, arn);
  },
);

testSettlement(
  "a job that a repeat was told of outlives its refusal",
  async (bench) => {
    const gate = Promise.withResolvers<void>();
    bench.batches.held = gate.promise;
    bench.batches.fate = "hold_request";
    const first = assertRejects(() => bench.create(), GatewayError);
    const { arn } = await untilGiven(() => bench.create(), bench);
    bench.batches.fate = "refuse";
    gate.resolve();
    await first;
    assertEquals((await bench.get(arn)).status, "Failed");
    assertEquals((await bench.create()).arn, arn);
  },
);

testSettlement(
  "a job that is stopped before it was sent is never sent",
  async (bench) => {
    bench.batches.fate = "lose_request";
    await assertRejects(() => bench.create());
    bench.batches.fate = "answer";
    const { arn } = await bench.create();
    await bench.stop(arn);
    assertEquals((await bench.get(arn)).status, "Stopping");
    await bench.sweepUntilProven();
    assertEquals((await bench.get(arn)).status, "Stopped");
    assertEquals(bench.batches.calls.start, 1);
  },
);

testSettlement(
  "a job that is stopped while it is sent is stopped once it is known",
  async (bench) => {
    bench.batches.fate = "lose_answer";
    await assertRejects(() => bench.create());
    const { arn } = await bench.create();
    await bench.stop(arn);
    await bench.sweepAfter(2_000);
    assertEquals(bench.batches.calls.stop, 1);
    bench.batches.change("batch_1", { status: "Stopped" });
    await bench.sweepAfter(2_000);
    assertEquals((await bench.get(arn)).status, "Stopped");
  },
);

testSettlement(
  "a batch whose start could not be recorded is joined, not sent again",
  async (bench) => {
    const { deps, batches } = bench.harness;
    const { store } = deps;
    const broken = new Proxy(store, {
      get: (target, name) =>
        name === "update"
          ? () => Promise.resolve(null)
          : Reflect.get(target, name).bind(target),
    });
    const writer = new JobService({ ...deps, store: broken });
    const error = await assertRejects(
      () => writer.create(CALL, "openai", REQUEST),
      GatewayError,
    );
    assertEquals(error.failure.kind, "internal");
    const { arn } = await bench.create();
    assertEquals((await bench.get(arn)).batchId, "batch_1");
    assertEquals(batches.calls.start, 1);
  },
);

testSettlement(
  "a batch known as a foreign one becomes the job's, under both ids",
  async (bench) => {
    const gate = Promise.withResolvers<void>();
    bench.batches.held = gate.promise;
    bench.batches.fate = "hold_answer";
    const first = bench.create();
    await untilStarted(bench);
    // As if the batch had been listed without the id that it bears.
    bench.batches.change("batch_1", { jobId: null });
    assertEquals(await bench.listNames(), ["job-1", "job-1"]);
    gate.resolve();
    const { id } = await first;
    assertEquals(await bench.listNames(), ["job-1"]);
    const foreignId = await deriveJobId("openai", "batch_1");
    for (const identifier of [foreignId, "batch_1"]) {
      assertEquals((await bench.get(identifier)).id, id);
    }
  },
);

testSettlement(
  "a second batch that bears a job's id is shown, not hidden",
  async (bench) => {
    const { id } = await bench.create();
    bench.batches.add({ jobId: id, name: "too late" });
    bench.harness.clock.advance(2_000);
    assertEquals((await bench.listNames()).sort(), ["job-1", "too late"]);
    assertEquals((await bench.get(id)).batchId, "batch_1");
  },
);

testSettlement(
  "a batch that the provider has not got for a day fails its job",
  async (bench) => {
    const { arn } = await bench.create();
    const taken = [...bench.batches.batches];
    bench.batches.batches.clear();
    await bench.sweepAfter(2_000);
    await bench.sweepAfter(23 * HOUR_MS);
    assertEquals((await bench.get(arn)).status, "Validating");
    // It is back: a wrong key, perhaps. The day begins anew.
    for (const [id, batch] of taken) bench.batches.batches.set(id, batch);
    await bench.sweepAfter(2_000);
    bench.batches.batches.clear();
    await bench.sweepAfter(2 * HOUR_MS);
    assertEquals((await bench.get(arn)).status, "Validating");
    await bench.sweepAfter(25 * HOUR_MS);
    assertEquals((await bench.get(arn)).status, "Failed");
  },
);

testSettlement(
  "a job that no attempt brings to the provider fails after a day",
  async (bench) => {
    bench.batches.fate = "lose_request";
    await assertRejects(() => bench.create());
    const { arn } = await bench.create();
    for (let hour = 1; hour <= 9; hour++) {
      await bench.sweepAfter(HOUR_MS);
      await bench.sweepAfter(3 * MINUTE_MS);
    }
    assertEquals((await bench.get(arn)).status, "Submitted");
    await bench.sweepAfter(24 * HOUR_MS);
    await bench.sweepAfter(3 * MINUTE_MS);
    assertEquals((await bench.get(arn)).status, "Failed");
    assertEquals(bench.batches.calls.start, 10);
  },
);

testSettlement("one job's trouble does not hold up the next", async (bench) => {
  bench.batches.fate = "lose_request";
  const names = ["job-1", "job-2", "job-3"];
  for (const jobName of names) {
    const request = { ...REQUEST, jobName, clientRequestToken: jobName };
    await assertRejects(() => bench.jobs.create(CALL, "openai", request));
  }
  await bench.sweepUntilProven();
  assertEquals(bench.batches.calls.start, 6);
});

async function untilStarted(bench: Bench): Promise<void> {
  while (bench.batches.calls.start === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function untilGiven(
  create: () => Promise<Job>,
  bench: Bench,
): Promise<Job> {
  await untilStarted(bench);
  return await create();
}
