/**
 * Two gateways over one denokv, with their object store in S3: any of them
 * answers any call, and where one dies the other goes on. Run by
 * `deno task test:replicas`, which says where denokv is.
 */
import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import {
  BATCH_PROVIDERS,
  type BatchProvider,
} from "../support/batch_provider.ts";
import {
  checkCreations,
  pause,
  planAttempts,
  retryCreation,
  Wave,
} from "../support/broken_creations.ts";
import type { Cut } from "../support/cutting_proxy.ts";
import type { GatewayClient } from "../support/gateway_client.ts";
import { ReplicaBench } from "./replica_bench.ts";

const DENOKV = Deno.env.get("FINOPS_TEST_DENOKV") ?? "";

const CREATIONS = 4;
const RECORDS = 200;
const LIST_DELAY_MS = 1_500;
const END_TIMEOUT_MS = 90_000;

/** Long enough for several sweeps by whoever sweeps. */
const WATCH_MS = 8_000;

function testReplicas(
  name: string,
  options: { readonly paceMs: number },
  body: (bench: ReplicaBench, t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `replicas: ${name}`,
    ignore: DENOKV === "",
    fn: async (t) => {
      await using bench = await ReplicaBench.start(DENOKV, {
        listDelayMs: LIST_DELAY_MS,
        ...options,
      });
      await body(bench, t);
    },
  });
}

testReplicas(
  "any of them answers any call",
  { paceMs: 1_500 },
  async (bench, t) => {
    const [first, second] = [await bench.open("a"), await bench.open("b")];
    for (const provider of BATCH_PROVIDERS) {
      await t.step(provider.name, async () => {
        const [a, b] = [first.client(provider), second.client(provider)];
        const key = `shared/${provider.name}.jsonl`;
        const inputUri = await a.putInput(key, recordIds(3));
        assert(await b.headObject(provider.inputBucket, key) > 0);
        assert((await b.listKeys(provider.inputBucket, key)).includes(key));

        const jobName = `any-${provider.name}`;
        const order = { jobName, clientRequestToken: jobName, inputUri };
        const arn = await a.createJob(order);
        assertEquals((await b.getJob(arn)).jobName, jobName);
        const listed = (await b.listJobs(jobName)).map(({ jobArn }) => jobArn);
        assertEquals(listed, [arn]);
        assertEquals(await b.createJob(order), arn);
        await b.stopJob(arn);
        const { status } = await a.getJob(arn);
        assert(status === "Stopping" || status === "Stopped", status);

        const other = await b.createJob({
          ...order,
          jobName: `${jobName}-2`,
          clientRequestToken: `${jobName}-2`,
        });
        await untilEnded(a, other);
        await checkResults(provider, a, other, key, 3);
        await checkResults(provider, b, other, key, 3);
      });
    }
  },
);

testReplicas("one dies amid creations, and the other sees to them", {
  paceMs: 50,
}, async (bench, t) => {
  const dying = await bench.open("a");
  const inputUris = new Map<string, string>();
  for (const provider of BATCH_PROVIDERS) {
    const client = dying.client(provider);
    const uri = await client.putInput("creations.jsonl", ["record-1"]);
    inputUris.set(provider.name, uri);
  }
  const attempts = planAttempts({
    prefix: "orphan",
    points: ["before", "accepted", "answered"],
    first: 0,
    count: CREATIONS,
    inputUris,
  });
  const wave = new Wave(attempts);
  bench.cut(
    "a",
    (provider, request) =>
      provider.isCreation(request)
        ? wave.cutOf(provider.nameIn(request.body))
        : null,
  );
  const living = await bench.open("b");
  const ended = Promise.allSettled(attempts.map(async (attempt) => {
    const client = dying.client(attempt.provider);
    attempt.arns.add(await client.createJob(attempt.order));
  }));
  await wave.allReached();
  await dying.kill();
  await ended;
  await Promise.all(
    attempts.map((attempt) =>
      retryCreation(living.client(attempt.provider), attempt)
    ),
  );
  for (const provider of BATCH_PROVIDERS) {
    await t.step(provider.name, () =>
      checkCreations({
        provider,
        client: living.client(provider),
        providerUrl: bench.cluster.urls[provider.name],
        listDelayMs: LIST_DELAY_MS,
        endTimeoutMs: END_TIMEOUT_MS,
        prefix: "orphan",
        attempts,
      }));
  }
});

testReplicas("one dies while it stores results, and the other stores them", {
  paceMs: 50,
}, async (bench, t) => {
  const dying = await bench.open("a");
  const fetching = new Map<string, PromiseWithResolvers<void>>();
  const providers = BATCH_PROVIDERS.filter(({ isResultRead }) =>
    isResultRead !== null
  );
  for (const { name } of providers) {
    fetching.set(name, Promise.withResolvers<void>());
  }
  // The whole of the lines but their last byte, and then nothing.
  bench.cut(
    "a",
    (provider, request): Cut | null =>
      provider.isResultRead?.(request) === true
        ? {
          point: "unfinished",
          reached: () => {
            fetching.get(provider.name)?.resolve();
            return Promise.withResolvers<void>().promise;
          },
          passed: () => {},
        }
        : null,
  );
  const key = "results.jsonl";
  const arns = new Map<string, string>();
  for (const provider of providers) {
    const client = dying.client(provider);
    const inputUri = await client.putInput(key, recordIds(RECORDS));
    const jobName = `stored-${provider.name}`;
    const order = { jobName, clientRequestToken: jobName, inputUri };
    arns.set(provider.name, await client.createJob(order));
  }
  await Promise.all([...fetching.values()].map(({ promise }) => promise));
  const living = await bench.open("b");
  await dying.kill();
  for (const provider of providers) {
    await t.step(provider.name, async () => {
      const client = living.client(provider);
      const arn = arns.get(provider.name) ?? "";
      await untilEnded(client, arn);
      await checkResults(provider, client, arn, key, RECORDS);
    });
  }
});

testReplicas("one at a time sweeps a provider, and another follows it", {
  paceMs: 600_000,
}, async (bench) => {
  const replicas = {
    a: await bench.open("a"),
    b: await bench.open("b"),
  };
  const client = replicas.a.client(OPENAI);
  const inputUri = await client.putInput("sweeps.jsonl", ["record-1"]);
  await client.createJob({
    jobName: "swept",
    clientRequestToken: "swept",
    inputUri,
  });
  await pause(WATCH_MS / 2);
  bench.forgetRequests();
  await pause(WATCH_MS);
  const counts = {
    a: bench.countRequests("a", isSweep),
    b: bench.countRequests("b", isSweep),
  };
  const sweeper = counts.a > 0 ? "a" : "b";
  const follower = sweeper === "a" ? "b" : "a";
  assert(counts[sweeper] >= 2, `nobody sweeps: ${JSON.stringify(counts)}`);
  assertEquals(counts[follower], 0, "both replicas sweep");
  await replicas[sweeper].kill();
  const deadlineMs = Date.now() + END_TIMEOUT_MS;
  while (bench.countRequests(follower, isSweep) === 0) {
    assert(Date.now() < deadlineMs, "the other replica does not take over");
    await pause(250);
  }
});

const OPENAI: BatchProvider =
  BATCH_PROVIDERS.find(({ name }) => name === "openai") ?? fail();

function fail(): never {
  throw new Error("The provider is not known.");
}

function isSweep(line: string): boolean {
  return line.startsWith("openai GET /v1/batches?");
}

function recordIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `record-${index}`);
}

async function untilEnded(client: GatewayClient, arn: string): Promise<void> {
  const deadlineMs = Date.now() + END_TIMEOUT_MS;
  for (;;) {
    const { status, endTime } = await client.getJob(arn);
    if (endTime !== undefined) return assertEquals(status, "Completed");
    assert(Date.now() < deadlineMs, `the job stays ${status}`);
    await pause(250);
  }
}

/** Every record once, and a manifest that agrees with the lines. */
async function checkResults(
  provider: BatchProvider,
  client: GatewayClient,
  arn: string,
  inputKey: string,
  count: number,
): Promise<void> {
  const folder = `results/${arn.slice(arn.lastIndexOf("/") + 1)}/`;
  const { outputBucket } = provider;
  const keys = await client.listKeys(outputBucket, folder);
  assertEquals(keys.length, 2, `${keys}`);
  const name = inputKey.slice(inputKey.lastIndexOf("/") + 1);
  const text = await client.readObject(outputBucket, `${folder}${name}.out`);
  const ids = text.trimEnd().split("\n")
    .map((line) => String(provider.recordIdOf(JSON.parse(line))));
  assertEquals(ids.sort(), recordIds(count).sort());
  const manifest: unknown = JSON.parse(
    await client.readObject(outputBucket, `${folder}manifest.json.out`),
  );
  assertObjectMatch(Object(manifest), {
    totalRecordCount: count,
    processedRecordCount: count,
    successRecordCount: count,
    errorRecordCount: 0,
  });
}
