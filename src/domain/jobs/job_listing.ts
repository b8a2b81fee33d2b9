import { z } from "zod";
import { errorFields } from "../../telemetry/log.ts";
import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import type { JobStatus } from "../job_status.ts";
import type { ProviderName } from "../provider.ts";
import type { Job } from "./job.ts";
import { batchApi, type JobDeps } from "./job_deps.ts";
import { jobScope } from "./job_lookup.ts";
import type { JobIndexEntry, JobIndexPosition } from "./job_store.ts";
import type { ProviderSync } from "./provider_sync.ts";

/** ListModelInvocationJobs' filters, parsed. */
export interface JobQuery {
  readonly status: JobStatus | null;
  readonly nameContains: string | null;
  /** Both bounds count as inside. */
  readonly submittedAfter: Date | null;
  readonly submittedBefore: Date | null;
  readonly order: "ascending" | "descending";
  readonly pageSize: number;
  readonly nextToken: string | null;
}

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly nextToken: string | null;
}

/** Index entries that one page reads at most when it filters by name. */
const SCAN_MAX = 5_000;

/** A page is not held up for longer by a provider that answers slowly. */
const SYNC_WAIT_MS = 5_000;

/** One page of jobs, newest first unless asked otherwise. */
export async function listJobs(
  call: CallContext,
  provider: ProviderName,
  query: JobQuery,
  deps: JobDeps & { readonly sync: ProviderSync },
): Promise<JobPage> {
  await batchApi(deps, provider);
  const after = query.nextToken === null ? null : parseToken(query.nextToken);
  await syncSoon(provider, deps);
  const { entries, more } = await scan(call, provider, { query, after }, deps);
  const found = await deps.store.getMany(entries.map(({ jobId }) => jobId));
  const jobs = found.filter((job) => job !== null).map(({ value }) => value)
    .filter((job) => query.status === null || job.status === query.status);
  return { jobs, nextToken: more === null ? null : formatToken(more) };
}

/** Freshness is worth a wait, but not an error: the index answers anyway. */
async function syncSoon(
  provider: ProviderName,
  deps: JobDeps & { readonly sync: ProviderSync },
): Promise<void> {
  const { promise: timeUp, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, SYNC_WAIT_MS);
  const synced = deps.sync.sync(provider).catch((error) =>
    deps.log.warn("list shown without news", {
      provider,
      ...errorFields(error),
    })
  );
  await Promise.race([synced, timeUp]);
  clearTimeout(timer);
}

async function scan(
  call: CallContext,
  provider: ProviderName,
  page: { readonly query: JobQuery; readonly after: JobIndexPosition | null },
  deps: JobDeps,
): Promise<{ entries: JobIndexEntry[]; more: JobIndexPosition | null }> {
  const { query, after } = page;
  const entries: JobIndexEntry[] = [];
  let scanned = 0;
  let last: JobIndexPosition | null = after;
  const index = deps.store.list({
    scope: jobScope(call.principal),
    provider,
    status: query.status,
    from: query.submittedAfter,
    until: query.submittedBefore,
    order: query.order,
    after,
  });
  for await (const entry of index) {
    if (entries.length === query.pageSize || scanned === SCAN_MAX) {
      return { entries, more: last };
    }
    scanned++;
    last = entry;
    const { nameContains } = query;
    if (nameContains === null || entry.jobName.includes(nameContains)) {
      entries.push(entry);
    }
  }
  return { entries, more: null };
}

const tokenShape = z.tuple([
  z.number().int().nonnegative(),
  z.string().regex(/^[a-z0-9]{12}$/),
]);

function formatToken(position: JobIndexPosition): string {
  return btoa(JSON.stringify([position.submittedAtMs, position.jobId]))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function parseToken(token: string): JobIndexPosition {
  try {
    const json = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
    const [submittedAtMs, jobId] = tokenShape.parse(JSON.parse(json));
    return { submittedAtMs, jobId };
  } catch (cause) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "nextToken" },
      "nextToken is not one that this list gave out.",
      { cause },
    );
  }
}
