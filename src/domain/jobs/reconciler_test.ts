import { assert, assertEquals } from "@std/assert";
import { openJobHarness } from "../../../tests/support/memory_provider.ts";
import { createKvLeases } from "../../kv/job_leases.ts";
import { GatewayError } from "../failure.ts";
import { ADMIN_CALL as CALL, jobRequest } from "./job_request_fixture.ts";
import { JobService } from "./job_service.ts";
import { Reconciler } from "./reconciler.ts";

const REQUEST = jobRequest();

const INTERVAL_MS = 5;

interface Bench {
  /** Another process over the same state, which counts its sweeps. */
  open(): {
    readonly reconciler: Reconciler;
    readonly sweeps: { count: number };
  };
  readonly jobs: JobService;
  readonly harness: ReturnType<typeof openJobHarness>;
}

function testReconciler(
  name: string,
  body: (bench: Bench) => Promise<void>,
): void {
  Deno.test(`reconciler: ${name}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const harness = openJobHarness(kv);
    const { deps } = harness;
    await body({
      harness,
      jobs: new JobService(deps),
      open: () => {
        const sweeps = { count: 0 };
        const jobs = new JobService(deps);
        const reconciler = new Reconciler({
          jobs: {
            reconcile: async (provider) => {
              sweeps.count++;
              harness.clock.advance(1_000);
              await jobs.reconcile(provider);
            },
          },
          store: deps.store,
          leases: createKvLeases(kv),
          providers: () => ["openai"],
          log: deps.log,
          intervalMs: INTERVAL_MS,
          pauseMaxMs: 4 * INTERVAL_MS,
        });
        return { reconciler, sweeps };
      },
    });
  });
}

testReconciler("a job comes to its end without any client", async (bench) => {
  const { id } = await bench.jobs.create(CALL, "openai", REQUEST);
  const { reconciler } = bench.open();
  reconciler.start();
  bench.harness.batches.change("batch_1", { status: "Failed" });
  const { store } = bench.harness.deps;
  await until(async () => (await store.get(id))?.value.status === "Failed");
  await reconciler.close();
});

testReconciler("nothing is asked where no job is open", async (bench) => {
  const { reconciler, sweeps } = bench.open();
  reconciler.start();
  await pause(10 * INTERVAL_MS);
  await reconciler.close();
  assertEquals(sweeps.count, 0);
});

testReconciler(
  "of two replicas one sweeps, and the other follows it",
  async (bench) => {
    await bench.jobs.create(CALL, "openai", REQUEST);
    const [first, second] = [bench.open(), bench.open()];
    first.reconciler.start();
    await until(() => Promise.resolve(first.sweeps.count > 0));
    second.reconciler.start();
    const before = first.sweeps.count;
    await until(() => Promise.resolve(first.sweeps.count > before + 5));
    assertEquals(second.sweeps.count, 0);
    await first.reconciler.close();
    await until(() => Promise.resolve(second.sweeps.count > 0));
    await second.reconciler.close();
  },
);

testReconciler("a provider that asks for a pause gets it", async (bench) => {
  await bench.jobs.create(CALL, "openai", REQUEST);
  const { deps } = bench.harness;
  let asked = 0;
  const reconciler = new Reconciler({
    jobs: {
      reconcile: () => {
        asked++;
        const failure = { kind: "rate_limited", retryAfterMs: 60_000 } as const;
        return Promise.reject(new GatewayError(failure, "slow down"));
      },
    },
    store: deps.store,
    leases: deps.leases,
    providers: () => ["openai"],
    log: deps.log,
    intervalMs: INTERVAL_MS,
    pauseMaxMs: 4 * INTERVAL_MS,
  });
  reconciler.start();
  await pause(40 * INTERVAL_MS);
  await reconciler.close();
  assertEquals(asked, 1);
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while (!await condition()) {
    assert(Date.now() < deadlineMs, "it does not come about");
    await pause(2);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
