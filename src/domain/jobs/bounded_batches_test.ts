import { assertEquals, assertRejects } from "@std/assert";
import {
  ManualClock,
  MemoryBatches,
} from "../../../tests/support/memory_provider.ts";
import type { BatchApi, DriverCall } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import { BoundedBatches } from "./bounded_batches.ts";

const NEVER = new Promise<never>(() => {});

class SilentBatches extends MemoryBatches {
  override getBatch(): Promise<never> {
    return NEVER;
  }

  override startBatch(): Promise<never> {
    return NEVER;
  }

  override stopBatch(): Promise<never> {
    return NEVER;
  }

  override openResults(): Promise<never> {
    return NEVER;
  }

  override async *listBatches(): AsyncGenerator<never, void, void> {
    yield await NEVER;
  }
}

function readFirstPage(api: BatchApi, call: DriverCall): Promise<unknown> {
  return api.listBatches(call)[Symbol.asyncIterator]().next();
}

const batches = new MemoryBatches(new ManualClock().now);
const batch = batches.add({});

const CALLS: Record<
  string,
  (api: BatchApi, call: DriverCall) => Promise<unknown>
> = {
  startBatch: (api, call) =>
    api.startBatch(call, {
      jobId: "abcdefghijkl",
      jobName: "job-1",
      modelId: "model-1",
      input: { kind: "file", fileId: "file-1" },
      endpoint: null,
      bedrock: null,
    }),
  getBatch: (api, call) => api.getBatch(call, batch.id),
  listBatches: readFirstPage,
  stopBatch: (api, call) => api.stopBatch(call, batch.id),
  openResults: (api, call) => api.openResults(call, batch),
};

for (const [name, run] of Object.entries(CALLS)) {
  Deno.test(`${name}() ends with its call, though the driver does not`, async () => {
    const silent = new SilentBatches(new ManualClock().now);
    const ending = new AbortController();
    const call = { requestId: "r-1", signal: ending.signal };
    const ended = assertRejects(
      () => run(new BoundedBatches(silent), call),
      GatewayError,
    );
    ending.abort();
    assertEquals((await ended).failure.kind, "upstream_timeout");
  });
}

Deno.test("answers of the driver pass as they are", async () => {
  const { signal } = new AbortController();
  const call = { requestId: "r-1", signal };
  const bounded = new BoundedBatches(batches);
  assertEquals(await bounded.getBatch(call, batch.id), batch);
  const pages = await Array.fromAsync(bounded.listBatches(call));
  assertEquals(pages, [[batch]]);
});
