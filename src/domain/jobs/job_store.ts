import type { JobStatus } from "../job_status.ts";
import type { ProviderName } from "../provider.ts";
import type { Versioned } from "../versioned.ts";
import type { Job } from "./job.ts";

/** Whose jobs: one tenant's, or everything that any account holds. */
export type JobScope =
  | { readonly kind: "tenant"; readonly tenant: string }
  | { readonly kind: "all" };

/** A clientRequestToken that was used, and for what. */
export interface TokenUse {
  readonly jobId: string;
  /** Digest of the request, without the token, and its provider. */
  readonly requestDigest: string;
}

export interface JobIndexQuery {
  readonly scope: JobScope;
  readonly provider: ProviderName;
  readonly status: JobStatus | null;
  /** Inclusive bounds on the submit time. */
  readonly from: Date | null;
  readonly until: Date | null;
  readonly order: "ascending" | "descending";
  /** Exclusive; where the page before ended. */
  readonly after: JobIndexPosition | null;
}

export interface JobIndexPosition {
  readonly submittedAtMs: number;
  readonly jobId: string;
}

export interface JobIndexEntry extends JobIndexPosition {
  readonly jobName: string;
}

/** One of the two objects that an ended job shows under its output URI. */
export interface ResultEntry {
  readonly key: string;
  readonly jobId: string;
  readonly part: "output" | "manifest";
}

/**
 * Jobs and every index over them. All writes are atomic and compare-and-set:
 * an update that lost a race changes nothing and says so.
 */
export interface JobStore {
  get(jobId: string): Promise<Versioned<Job> | null>;
  /** In the order asked for; null where there is none. */
  getMany(jobIds: readonly string[]): Promise<(Versioned<Job> | null)[]>;
  /** By native id or the last segment of a real ARN. */
  findAlias(provider: ProviderName, text: string): Promise<string | null>;
  /** Whose job wrote this result file; null where no tenant's did. */
  ownerOfFile(provider: ProviderName, fileId: string): Promise<string | null>;
  findToken(tenant: string, token: string): Promise<TokenUse | null>;
  /**
   * Null: the id, the token or a foreign batch's native id is taken, and
   * nothing was written.
   */
  create(
    job: Job,
    token: (TokenUse & { readonly token: string }) | null,
  ): Promise<Versioned<Job> | null>;
  /**
   * Null: someone else wrote first, and nothing was written. A job that comes
   * to know its batch takes the place of the batch's foreign record, if there
   * was one; that one's id then finds the job.
   */
  update(previous: Versioned<Job>, next: Job): Promise<Versioned<Job> | null>;
  /** Forgets a job that the provider refused, its token included. */
  remove(previous: Versioned<Job>): Promise<boolean>;
  /** Index entries in submit order; the caller stops when it has enough. */
  list(query: JobIndexQuery): AsyncIterable<JobIndexEntry>;
  /** Ids of the provider's jobs that have not ended. */
  listOpen(provider: ProviderName): AsyncIterable<string>;
  /** Whether everything the account held was once read into the index. */
  historyImported(provider: ProviderName): Promise<boolean>;
  markHistoryImported(provider: ProviderName): Promise<void>;
  findResult(
    scope: JobScope,
    provider: ProviderName,
    bucket: string,
    key: string,
  ): Promise<ResultEntry | null>;
  /** In S3's key order. */
  listResults(
    scope: JobScope,
    provider: ProviderName,
    page: { bucket: string; prefix: string; after: string },
  ): AsyncIterable<ResultEntry>;
}
