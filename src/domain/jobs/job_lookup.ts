import type { CallContext, Principal } from "../context.ts";
import { GatewayError } from "../failure.ts";
import { PROVIDER_NAMES, type ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import { type Job, jobIdentifierTail } from "./job.ts";
import { batchApi, type JobDeps } from "./job_deps.ts";
import type { JobScope } from "./job_store.ts";
import { noSuchJob } from "./job_update.ts";
import type { ProviderSync } from "./provider_sync.ts";

/** Longer than any ARN in the botocore model. */
const IDENTIFIER_LENGTH_MAX = 1011;

/** Which jobs a caller may see. */
export function jobScope(principal: Principal): JobScope {
  return principal.admin
    ? { kind: "all" }
    : { kind: "tenant", tenant: principal.tenant };
}

function maySee(principal: Principal, job: Job): boolean {
  if (principal.admin) return true;
  if (job.tenant !== principal.tenant) return false;
  return principal.providers?.includes(job.provider) ?? true;
}

/**
 * Finds a job by ARN, bare id or native id. A known job wins over the header;
 * an unknown one is looked for in the account that `fallback` names.
 *
 * @throws {GatewayError} `no_such_job`, also for other tenants' jobs.
 */
export async function findJob(
  call: CallContext,
  identifier: string,
  fallback: () => ProviderName,
  deps: JobDeps & { readonly sync: ProviderSync },
): Promise<Versioned<Job>> {
  if (identifier === "" || identifier.length > IDENTIFIER_LENGTH_MAX) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "jobIdentifier" },
      `jobIdentifier must have 1 to ${IDENTIFIER_LENGTH_MAX} characters.`,
    );
  }
  const tail = jobIdentifierTail(identifier);
  const known = await findKnown(tail, deps);
  if (known !== null) {
    if (maySee(call.principal, known.value)) return known;
    throw noSuchJob(identifier);
  }
  const provider = fallback();
  // Batches of the account itself are for those who may see everything.
  if (!call.principal.admin) throw noSuchJob(identifier);
  const batches = await batchApi(deps, provider);
  if (!/^[a-z0-9]{12}$/.test(tail) && !batches.isBatchId(tail)) {
    throw noSuchJob(identifier);
  }
  await deps.sync.sync(provider);
  const imported = await findKnown(tail, deps);
  if (imported === null) throw noSuchJob(identifier);
  return imported;
}

async function findKnown(
  tail: string,
  deps: JobDeps,
): Promise<Versioned<Job> | null> {
  const [own, ...aliases] = await Promise.all([
    deps.store.get(tail),
    ...PROVIDER_NAMES.map((provider) => deps.store.findAlias(provider, tail)),
  ]);
  if (own !== null) return own;
  const jobId = aliases.find((alias) => alias !== null) ?? null;
  return jobId === null ? null : await deps.store.get(jobId);
}
