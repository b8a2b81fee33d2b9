import { assert, assertEquals } from "@std/assert";
import {
  BATCH_PROVIDERS,
  type BatchProvider,
  type NativeBatch,
} from "./batch_provider.ts";
import type { Cut, CutPoint } from "./cutting_proxy.ts";
import type { GatewayClient, JobOrder } from "./gateway_client.ts";

/** How long a loaded machine may take to bring a creation to its point. */
const REACH_TIMEOUT_MS = 30_000;
const RETRY_TIMEOUT_MS = 30_000;
const POLL_MS = 250;

/** One creation that is to break off. */
export interface Attempt {
  readonly provider: BatchProvider;
  readonly point: CutPoint;
  readonly order: JobOrder;
  /** What the client was told the job is, by each call that answered. */
  readonly arns: Set<string>;
}

/** `count` creations at each point of each provider, numbered from `first`. */
export function planAttempts(plan: {
  readonly prefix: string;
  readonly points: readonly CutPoint[];
  readonly first: number;
  readonly count: number;
  /** By the provider's name. */
  readonly inputUris: ReadonlyMap<string, string>;
}): Attempt[] {
  const numbers = Array.from({ length: plan.count }, (_, i) => plan.first + i);
  return BATCH_PROVIDERS.flatMap((provider) =>
    plan.points.flatMap((point) =>
      numbers.map((number): Attempt => {
        const jobName = [plan.prefix, provider.name, point, number].join("-");
        return {
          provider,
          point,
          order: {
            jobName,
            clientRequestToken: `token-${jobName}`,
            inputUri: plan.inputUris.get(provider.name) ?? "",
          },
          arns: new Set(),
        };
      })
    )
  );
}

/** Exchanges that break off together, once all have come to their points. */
export class Wave {
  readonly #attempts: Map<string, Attempt>;
  readonly #all = Promise.withResolvers<void>();
  #outstanding: number;

  constructor(attempts: readonly Attempt[]) {
    this.#outstanding = attempts.length;
    this.#attempts = new Map(
      attempts.map((attempt) => [attempt.order.jobName, attempt]),
    );
  }

  /** Only the first exchange for each job breaks off. */
  cutOf(jobName: string | null): Cut | null {
    const attempt = this.#attempts.get(jobName ?? "");
    if (attempt === undefined) return null;
    this.#attempts.delete(attempt.order.jobName);
    const never = Promise.withResolvers<void>().promise;
    return {
      point: attempt.point,
      reached: () => {
        if (--this.#outstanding === 0) this.#all.resolve();
        // A dead or impatient gateway hangs up, and that ends the exchange.
        return attempt.point === "answered" ? this.#all.promise : never;
      },
      passed: () => {},
    };
  }

  /** Rejects where some creation never comes to its point. */
  async allReached(): Promise<void> {
    const late = setTimeout(() => {
      const missing = [...this.#attempts.keys()].join(", ");
      this.#all.reject(new Error(`Not at their points: ${missing}`));
    }, REACH_TIMEOUT_MS);
    await this.#all.promise.finally(() => clearTimeout(late));
  }
}

/** The client asks again with the same token until it is told an ARN. */
export async function retryCreation(
  client: GatewayClient,
  attempt: Attempt,
): Promise<void> {
  const deadlineMs = Date.now() + RETRY_TIMEOUT_MS;
  for (;;) {
    try {
      attempt.arns.add(await client.createJob(attempt.order));
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await pause(POLL_MS);
    }
  }
}

export interface CreationCheck {
  readonly provider: BatchProvider;
  readonly client: GatewayClient;
  /** The provider itself, past every proxy. */
  readonly providerUrl: string;
  readonly listDelayMs: number;
  readonly endTimeoutMs: number;
  /** What the names of these attempts, and no other jobs, begin with. */
  readonly prefix: string;
  readonly attempts: readonly Attempt[];
}

/**
 * Waits until every job has come to its end, then counts: the provider has
 * one batch and the gateway one job for each attempt, joined to each other
 * under the one ARN that was given out.
 */
export async function checkCreations(check: CreationCheck): Promise<void> {
  const { provider, client, prefix } = check;
  const attempts = check.attempts.filter((attempt) =>
    attempt.provider === provider
  );
  const wanted = attempts.map(({ order }) => order.jobName).sort();
  const lastEndMs = await untilAllEnded(check, wanted.length);
  // Whatever was started last must have become visible too.
  await pause(lastEndMs + check.listDelayMs - Date.now());
  const batches = (await provider.listBatches(check.providerUrl))
    .filter(({ jobName }) => jobName.startsWith(`${prefix}-`));
  assertEquals(batches.map(({ jobName }) => jobName).sort(), wanted);
  const jobs = await client.listJobs(`${prefix}-`);
  assertEquals(jobs.map(({ jobName }) => jobName ?? "").sort(), wanted);
  const statuses = new Set(jobs.map(({ status }) => status));
  assertEquals([...statuses], ["Completed"]);
  await checkJoins(client, attempts, batches);
}

async function checkJoins(
  client: GatewayClient,
  attempts: readonly Attempt[],
  batches: readonly NativeBatch[],
): Promise<void> {
  const nativeIds = new Map(batches.map(({ id, jobName }) => [jobName, id]));
  for (const { order, arns } of attempts) {
    const job = await client.getJob(nativeIds.get(order.jobName) ?? "");
    assertEquals(job.jobName, order.jobName);
    assertEquals([...arns], [job.jobArn], `ARNs of ${order.jobName}`);
  }
}

/** When the last of them ended; providers tell whole seconds. */
async function untilAllEnded(
  check: CreationCheck,
  count: number,
): Promise<number> {
  const deadlineMs = Date.now() + check.endTimeoutMs;
  for (;;) {
    const jobs = await check.client.listJobs(`${check.prefix}-`);
    const ended = jobs.filter(({ endTime }) => endTime !== undefined);
    if (ended.length >= count) {
      const ends = ended.map(({ endTime }) => endTime?.getTime() ?? 0);
      return Math.max(...ends) + 1_000;
    }
    const open = `${jobs.length - ended.length} of ${jobs.length}`;
    assert(Date.now() < deadlineMs, `${open} jobs have not ended`);
    await pause(2 * POLL_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
