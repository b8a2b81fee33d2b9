import type { Job } from "../domain/jobs/job.ts";
import {
  batchMark,
  jobIdentifierTail,
  resultLocation,
} from "../domain/jobs/job.ts";
import type {
  JobIndexEntry,
  JobIndexQuery,
  JobScope,
  JobStore,
  ResultEntry,
  TokenUse,
} from "../domain/jobs/job_store.ts";
import { isTerminal } from "../domain/job_status.ts";
import type { ProviderName } from "../domain/provider.ts";
import type { Versioned } from "../domain/versioned.ts";
import { JOB_KEYS, scopePart } from "./job_keys.ts";

/** KV reads at most ten keys at once. */
const GET_MANY_MAX = 10;

/** Jobs on Deno KV; every index moves in the same atomic write as its job. */
export function createJobStore(kv: Deno.Kv): JobStore {
  return new KvJobStore(kv);
}

class KvJobStore implements JobStore {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  async get(jobId: string): Promise<Versioned<Job> | null> {
    return versioned(await this.#kv.get<Job>(JOB_KEYS.job(jobId)));
  }

  async getMany(
    jobIds: readonly string[],
  ): Promise<(Versioned<Job> | null)[]> {
    const batches: Promise<Deno.KvEntryMaybe<Job>[]>[] = [];
    for (let start = 0; start < jobIds.length; start += GET_MANY_MAX) {
      const keys = jobIds.slice(start, start + GET_MANY_MAX).map(JOB_KEYS.job);
      batches.push(this.#kv.getMany<Job[]>(keys));
    }
    return (await Promise.all(batches)).flat().map(versioned);
  }

  async findAlias(
    provider: ProviderName,
    text: string,
  ): Promise<string | null> {
    const entry = await this.#kv.get<string>(JOB_KEYS.alias(provider, text));
    return entry.value;
  }

  async ownerOfFile(
    provider: ProviderName,
    fileId: string,
  ): Promise<string | null> {
    const key = JOB_KEYS.outputFile(provider, fileId);
    return (await this.#kv.get<string>(key)).value;
  }

  async findToken(tenant: string, token: string): Promise<TokenUse | null> {
    const entry = await this.#kv.get<TokenUse>(JOB_KEYS.token(tenant, token));
    return entry.value;
  }

  async create(
    job: Job,
    token: (TokenUse & { readonly token: string }) | null,
  ): Promise<Versioned<Job> | null> {
    const atomic = this.#kv.atomic()
      .check({ key: JOB_KEYS.job(job.id), versionstamp: null });
    if (token !== null) {
      const key = JOB_KEYS.token(job.tenant ?? "", token.token);
      const use: TokenUse = {
        jobId: token.jobId,
        requestDigest: token.requestDigest,
      };
      atomic.check({ key, versionstamp: null }).set(key, use);
    }
    // A batch that a job has got meanwhile is no foreign one any more.
    if (job.tenant === null && job.batchId !== null) {
      const key = JOB_KEYS.alias(job.provider, job.batchId);
      atomic.check({ key, versionstamp: null });
    }
    for (const [key, value] of indexEntries(job)) atomic.set(key, value);
    return committed(await atomic.set(JOB_KEYS.job(job.id), job).commit(), job);
  }

  async update(
    previous: Versioned<Job>,
    next: Job,
  ): Promise<Versioned<Job> | null> {
    const key = JOB_KEYS.job(next.id);
    const atomic = this.#kv.atomic()
      .check({ key, versionstamp: previous.version });
    const before = new Map(keysByText(indexEntries(previous.value)));
    const outdated = new Map(before);
    if (next.batchId !== null && previous.value.batchId === null) {
      const twin = await this.#absorbTwin(atomic, next, next.batchId);
      for (const [text, twinKey] of keysByText(twin)) {
        outdated.set(text, twinKey);
      }
    }
    for (const [indexKey, value] of indexEntries(next)) {
      const text = indexKey.join("\0");
      outdated.delete(text);
      if (!before.has(text)) atomic.set(indexKey, value);
    }
    for (const indexKey of outdated.values()) atomic.delete(indexKey);
    return committed(await atomic.set(key, next).commit(), next);
  }

  /**
   * Ends the record under which the batch of this job was known before anyone
   * could tell that it belongs to a job, as part of the same write. Its id
   * stays, as another name of the job.
   *
   * @returns The index entries that go with it.
   */
  async #absorbTwin(
    atomic: Deno.AtomicOperation,
    job: Job,
    batchId: string,
  ): Promise<[key: Deno.KvKey, value: unknown][]> {
    const aliasKey = JOB_KEYS.alias(job.provider, batchId);
    const alias = await this.#kv.get<string>(aliasKey);
    atomic.check(alias);
    if (alias.value === null || alias.value === job.id) return [];
    const twin = await this.get(alias.value);
    if (twin === null || twin.value.tenant !== null) return [];
    const key = JOB_KEYS.job(twin.value.id);
    atomic.check({ key, versionstamp: twin.version }).delete(key)
      .set(JOB_KEYS.alias(job.provider, twin.value.id), job.id);
    return indexEntries(twin.value);
  }

  async remove(previous: Versioned<Job>): Promise<boolean> {
    const job = previous.value;
    const key = JOB_KEYS.job(job.id);
    const atomic = this.#kv.atomic()
      .check({ key, versionstamp: previous.version }).delete(key);
    for (const [indexKey] of indexEntries(job)) atomic.delete(indexKey);
    const token = job.request.clientRequestToken;
    if (token !== null) atomic.delete(JOB_KEYS.token(job.tenant ?? "", token));
    return (await atomic.commit()).ok;
  }

  async *list(query: JobIndexQuery): AsyncIterable<JobIndexEntry> {
    const scope = scopePart(query.scope);
    const prefix = query.status === null
      ? JOB_KEYS.byTime(scope, query.provider)
      : JOB_KEYS.byStatus(scope, query.provider, query.status);
    const entries = this.#kv.list<string>(selector(prefix, query), {
      reverse: query.order === "descending",
    });
    for await (const entry of entries) {
      const [submittedAtMs, jobId] = entry.key.slice(-2);
      if (typeof submittedAtMs !== "number" || typeof jobId !== "string") {
        continue;
      }
      yield { submittedAtMs, jobId, jobName: entry.value };
    }
  }

  async *listOpen(provider: ProviderName): AsyncIterable<string> {
    const entries = this.#kv.list({ prefix: JOB_KEYS.openPrefix(provider) });
    for await (const entry of entries) yield String(entry.key.at(-1));
  }

  async historyImported(provider: ProviderName): Promise<boolean> {
    const entry = await this.#kv.get<Date>(JOB_KEYS.history(provider));
    return entry.value !== null;
  }

  async markHistoryImported(provider: ProviderName): Promise<void> {
    await this.#kv.set(JOB_KEYS.history(provider), new Date());
  }

  async findResult(
    scope: JobScope,
    provider: ProviderName,
    bucket: string,
    key: string,
  ): Promise<ResultEntry | null> {
    const kvKey = [
      ...JOB_KEYS.results(scopePart(scope), provider, bucket),
      key,
    ];
    return (await this.#kv.get<ResultEntry>(kvKey)).value;
  }

  async *listResults(
    scope: JobScope,
    provider: ProviderName,
    page: { bucket: string; prefix: string; after: string },
  ): AsyncIterable<ResultEntry> {
    const folder = JOB_KEYS.results(scopePart(scope), provider, page.bucket);
    const from = page.after > page.prefix ? page.after : page.prefix;
    const entries = this.#kv.list<ResultEntry>({
      start: [...folder, from],
      end: [...folder, Number.NEGATIVE_INFINITY],
    });
    for await (const { value } of entries) {
      if (!value.key.startsWith(page.prefix)) return;
      if (value.key !== page.after) yield value;
    }
  }
}

/** Where a query's entries lie; KV ends are exclusive, starts inclusive. */
function selector(
  prefix: Deno.KvKey,
  query: JobIndexQuery,
): Deno.KvListSelector {
  let start: Deno.KvKey = [...prefix, query.from?.getTime() ?? -Infinity];
  let end: Deno.KvKey = [
    ...prefix,
    query.until === null ? Infinity : query.until.getTime() + 1,
  ];
  if (query.after !== null) {
    const at = [...prefix, query.after.submittedAtMs, query.after.jobId];
    // A zero character after the id is the smallest key behind it.
    if (query.order === "ascending") {
      start = [...at.slice(0, -1), `${query.after.jobId}\0`];
    } else end = at;
  }
  return { start, end };
}

/** Every index entry of a job in its present state, aliases included. */
function indexEntries(job: Job): [key: Deno.KvKey, value: unknown][] {
  const entries: [Deno.KvKey, unknown][] = [];
  const name = job.request.jobName;
  const position = [job.submittedAt.getTime(), job.id];
  for (const scope of scopesOf(job)) {
    entries.push(
      [[...JOB_KEYS.byTime(scope, job.provider), ...position], name],
      [
        [...JOB_KEYS.byStatus(scope, job.provider, job.status), ...position],
        name,
      ],
      ...resultEntries(job, scope),
    );
  }
  if (!isTerminal(job.status)) {
    entries.push([JOB_KEYS.open(job.provider, job.id), true]);
  }
  const tail = jobIdentifierTail(job.arn);
  const aliases = new Set([job.batchId ?? job.id, tail]);
  // What others started may bear what one of our own jobs bears.
  if (job.tenant !== null) aliases.add(batchMark(job));
  aliases.delete(job.id);
  for (const alias of aliases) {
    entries.push([JOB_KEYS.alias(job.provider, alias), job.id]);
  }
  for (const fileId of job.tenant === null ? [] : job.outputFileIds) {
    entries.push([JOB_KEYS.outputFile(job.provider, fileId), job.tenant]);
  }
  return entries;
}

/** Keys are arrays, which no Map compares. */
function keysByText(
  entries: readonly [key: Deno.KvKey, value: unknown][],
): [text: string, key: Deno.KvKey][] {
  return entries.map(([key]) => [key.join("\0"), key]);
}

function scopesOf(job: Job): string[] {
  const scopes = [scopePart({ kind: "all" })];
  if (job.tenant !== null) {
    scopes.push(scopePart({ kind: "tenant", tenant: job.tenant }));
  }
  return scopes;
}

function resultEntries(job: Job, scope: string): [Deno.KvKey, ResultEntry][] {
  const location = job.result === null ? null : resultLocation(job);
  if (location === null) return [];
  const folder = JOB_KEYS.results(scope, job.provider, location.bucket);
  const parts = [
    ["output", location.outputKey],
    ["manifest", location.manifestKey],
  ] as const;
  return parts.map(([part, key]) => [
    [...folder, key],
    { key, jobId: job.id, part },
  ]);
}

function versioned(entry: Deno.KvEntryMaybe<Job>): Versioned<Job> | null {
  if (entry.value === null) return null;
  return { value: entry.value, version: entry.versionstamp };
}

function committed(
  result: Deno.KvCommitResult | Deno.KvCommitError,
  job: Job,
): Versioned<Job> | null {
  return result.ok ? { value: job, version: result.versionstamp } : null;
}
