import type { ByteStream } from "../bytes.ts";
import type {
  BatchApi,
  BatchOrder,
  DriverCall,
  RemoteBatch,
} from "../driver.ts";
import { GatewayError } from "../failure.ts";

/**
 * A provider's batches behind calls that always end: one that outlives its
 * signal rejects with `upstream_timeout`, whatever becomes of it below. A
 * read that never ended would hold up every later sweep of its provider.
 */
export class BoundedBatches implements BatchApi {
  readonly kind = "batches";
  readonly #api: BatchApi;

  constructor(api: BatchApi) {
    this.#api = api;
  }

  get results(): BatchApi["results"] {
    return this.#api.results;
  }

  get inputBytesMax(): number {
    return this.#api.inputBytesMax;
  }

  get recordsMax(): number {
    return this.#api.recordsMax;
  }

  isBatchId(text: string): boolean {
    return this.#api.isBatchId(text);
  }

  startBatch(call: DriverCall, order: BatchOrder): Promise<RemoteBatch> {
    return withinCall(call, this.#api.startBatch(call, order));
  }

  getBatch(call: DriverCall, batchId: string): Promise<RemoteBatch> {
    return withinCall(call, this.#api.getBatch(call, batchId));
  }

  async *listBatches(
    call: DriverCall,
  ): AsyncGenerator<readonly RemoteBatch[], void, void> {
    const pages = this.#api.listBatches(call)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const page = await withinCall(call, pages.next());
        if (page.done === true) return;
        yield page.value;
      }
    } finally {
      // Not awaited: it queues behind a page that may never come.
      pages.return?.().catch(() => {});
    }
  }

  stopBatch(call: DriverCall, batchId: string): Promise<void> {
    return withinCall(call, this.#api.stopBatch(call, batchId));
  }

  openResults(call: DriverCall, batch: RemoteBatch): Promise<ByteStream> {
    return withinCall(call, this.#api.openResults(call, batch));
  }
}

async function withinCall<T>(call: DriverCall, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const { signal } = call;
  function end(): void {
    reject(
      new GatewayError(
        { kind: "upstream_timeout" },
        "The provider did not answer in time.",
        { cause: signal.reason },
      ),
    );
  }
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  try {
    return await Promise.race([work, late]);
  } finally {
    signal.removeEventListener("abort", end);
    // Whichever comes later has nobody left to tell.
    work.catch(() => {});
    late.catch(() => {});
  }
}
