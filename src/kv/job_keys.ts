import type { JobScope } from "../domain/jobs/job_store.ts";
import type { JobStatus } from "../domain/job_status.ts";
import type { ProviderName } from "../domain/provider.ts";

/** Every key under which jobs and their indexes live. */
export const JOB_KEYS = {
  job: (id: string): Deno.KvKey => ["job", id],
  /** Native batch ids and real ARNs' last segments -> job id. */
  alias: (provider: ProviderName, text: string): Deno.KvKey => [
    "job_alias",
    provider,
    text,
  ],
  /** A provider's result file -> the tenant whose job wrote it. */
  outputFile: (provider: ProviderName, fileId: string): Deno.KvKey => [
    "job_output_file",
    provider,
    fileId,
  ],
  token: (tenant: string, token: string): Deno.KvKey => [
    "job_token",
    tenant,
    token,
  ],
  open: (provider: ProviderName, id: string): Deno.KvKey => [
    "job_open",
    provider,
    id,
  ],
  openPrefix: (provider: ProviderName): Deno.KvKey => ["job_open", provider],
  lease: (name: string): Deno.KvKey => ["job_lease", name],
  history: (provider: ProviderName): Deno.KvKey => ["job_history", provider],
  byTime: (scope: string, provider: ProviderName): Deno.KvKey => [
    "job_by_time",
    scope,
    provider,
  ],
  byStatus: (
    scope: string,
    provider: ProviderName,
    status: JobStatus,
  ): Deno.KvKey => ["job_by_status", scope, provider, status],
  results: (
    scope: string,
    provider: ProviderName,
    bucket: string,
  ): Deno.KvKey => ["job_result", scope, provider, bucket],
};

/** A scope as one key part; the colon keeps a tenant named "all" apart. */
export function scopePart(scope: JobScope): string {
  return scope.kind === "all" ? "all" : `tenant:${scope.tenant}`;
}
