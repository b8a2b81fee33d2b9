import { createHash } from "node:crypto";
import type { ByteRange, ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import { cutRange } from "../files/byte_range.ts";
import type { ObjectHeaders, ObjectInfo, ObjectListing } from "../object.ts";
import type { ResultObjects } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import type { Job } from "./job.ts";
import { batchApi, type JobDeps } from "./job_deps.ts";
import { jobScope } from "./job_lookup.ts";
import type { ResultEntry } from "./job_store.ts";

const OUTPUT_HEADERS: ObjectHeaders = {
  contentType: "application/jsonl",
  contentEncoding: null,
  contentDisposition: null,
  contentLanguage: null,
  cacheControl: null,
  expires: null,
  metadata: {},
  checksums: {},
};

const MANIFEST_HEADERS: ObjectHeaders = {
  ...OUTPUT_HEADERS,
  contentType: "application/json",
};

/** What result objects need of the jobs domain; inputs play no part. */
export type ResultDeps = Omit<JobDeps, "inputs">;

/** Results of ended jobs as S3 objects, where Bedrock would have put them. */
export function createResultObjects(deps: ResultDeps): ResultObjects {
  return {
    async find(call, provider, bucket, key) {
      const scope = jobScope(call.principal);
      const entry = await deps.store.findResult(scope, provider, bucket, key);
      return entry === null ? null : await describe(entry, bucket, deps);
    },
    open: (call, object, range) => openResult(call, object, range, deps),
    list: (call, provider, page) => listResults(call, provider, page, deps),
  };
}

async function* listResults(
  call: CallContext,
  provider: ProviderName,
  page: ObjectListing,
  deps: ResultDeps,
): AsyncIterable<ObjectInfo> {
  const scope = jobScope(call.principal);
  const entries = deps.store.listResults(scope, provider, page);
  for await (const entry of entries) {
    const object = await describe(entry, page.bucket, deps);
    if (object !== null) yield object;
  }
}

async function describe(
  entry: ResultEntry,
  bucket: string,
  deps: ResultDeps,
): Promise<ObjectInfo | null> {
  const job = (await deps.store.get(entry.jobId))?.value;
  if (job === undefined || job.result === null) return null;
  const shared = {
    bucket,
    key: entry.key,
    modifiedAt: job.result.storedAt,
    source: { kind: "job_result", jobId: job.id },
  } as const;
  if (entry.part === "output") {
    const { etag, sizeBytes } = job.result;
    return { ...shared, etag, sizeBytes, headers: OUTPUT_HEADERS };
  }
  const manifest = manifestOf(job);
  return {
    ...shared,
    etag: createHash("md5").update(manifest).digest("hex"),
    sizeBytes: manifest.length,
    headers: MANIFEST_HEADERS,
  };
}

async function openResult(
  call: CallContext,
  object: ObjectInfo,
  range: ByteRange | null,
  deps: ResultDeps,
): Promise<ByteStream> {
  const job = object.source.kind === "job_result"
    ? (await deps.store.get(object.source.jobId))?.value
    : undefined;
  if (job === undefined || job.result === null) throw gone(object.key);
  if (object.headers === MANIFEST_HEADERS) {
    return slice(new Blob([manifestOf(job)]).stream(), range);
  }
  const { storeKey } = job.result;
  if (storeKey === null) return await openLive(call, job, range, deps);
  const stored = await deps.objects?.open(storeKey, range ?? undefined);
  if (stored === undefined || stored === null) throw gone(object.key);
  return stored;
}

/** Nothing could be kept, so the provider is asked each time. */
async function openLive(
  call: CallContext,
  job: Job,
  range: ByteRange | null,
  deps: ResultDeps,
): Promise<ByteStream> {
  if (job.batchId === null) throw gone(job.id);
  const batches = await batchApi(deps, job.provider);
  const batch = await batches.getBatch(call, job.batchId);
  return slice(await batches.openResults(call, batch), range);
}

function slice(content: ByteStream, range: ByteRange | null): ByteStream {
  return range === null ? content : cutRange(content, range);
}

/** Bedrock's manifest.json.out; see "Viewing the results" in its user guide. */
function manifestOf(job: Job): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({
    totalRecordCount: job.counts?.total ?? 0,
    processedRecordCount: job.counts?.processed ?? 0,
    successRecordCount: job.counts?.succeeded ?? 0,
    errorRecordCount: job.counts?.failed ?? 0,
    inputTokenCount: job.tokens?.input ?? 0,
    outputTokenCount: job.tokens?.output ?? 0,
  }));
}

function gone(key: string): GatewayError {
  return new GatewayError(
    { kind: "no_such_key", key },
    "The results of this job are no longer here.",
  );
}
