import { DIGITS, LETTERS, randomId } from "../simulator.ts";
import type { CreateRequest } from "./create_request.ts";
import { BedrockFailure, noSuchResource } from "./failure.ts";
import {
  isTerminal,
  type Job,
  jobSchema,
  type JobStatus,
  mayMove,
} from "./job.ts";

const ACCOUNT = "123456789012";
const JOB_ID =
  /^(?:arn:aws(?:-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-invocation-job\/)?([a-z0-9]{12})$/;

/** Every job of the account, each kept in a file of its own. */
export class JobTable {
  readonly #dir: string;
  readonly #region: string;
  readonly #tokens: "honoured" | "ignored";
  /** By id, in order of creation. */
  readonly #jobs = new Map<string, Job>();
  readonly #byToken = new Map<string, Job>();

  /** Reads the jobs that an earlier run left in `dir`. */
  constructor(
    dir: string,
    options: { region: string; tokens: "honoured" | "ignored" },
  ) {
    this.#dir = dir;
    this.#region = options.region;
    this.#tokens = options.tokens;
    Deno.mkdirSync(dir, { recursive: true });
    const kept = [...Deno.readDirSync(dir)]
      .filter(({ name }) => name.endsWith(".json"))
      .map(({ name }) => jobSchema.parse(readJson(`${dir}/${name}`)))
      .sort((a, b) => a.sequence - b.sequence);
    for (const job of kept) this.#add(job);
  }

  /** In order of creation. */
  all(): Job[] {
    return [...this.#jobs.values()];
  }

  /**
   * The job for a request, which a repeated token makes an earlier one.
   *
   * @throws {BedrockFailure} `ConflictException` where the token was used for
   * another request.
   */
  create(request: CreateRequest): { job: Job; isNew: boolean } {
    const known = this.#byToken.get(request.clientRequestToken ?? "");
    if (known !== undefined && this.#tokens === "honoured") {
      const isSame = JSON.stringify(known.request) === JSON.stringify(request);
      if (isSame) return { job: known, isNew: false };
      throw new BedrockFailure(
        "ConflictException",
        "The clientRequestToken was already used with other parameters.",
      );
    }
    const id = randomId(12, LETTERS + DIGITS);
    const nowMs = Date.now();
    const job: Job = {
      id,
      arn:
        `arn:aws:bedrock:${this.#region}:${ACCOUNT}:model-invocation-job/${id}`,
      sequence: this.#nextSequence(),
      request,
      status: "Submitted",
      message: null,
      submitTimeMs: nowMs,
      lastModifiedTimeMs: nowMs,
      endTimeMs: null,
      counts: { total: 0, processed: 0, success: 0, error: 0 },
      tags: [...request.tags ?? []],
    };
    this.#add(job);
    this.save(job);
    return { job, isNew: true };
  }

  /**
   * @param identifier The bare id or the ARN.
   * @throws {BedrockFailure} `ValidationException`, `ResourceNotFoundException`.
   */
  find(identifier: string): Job {
    const id = JOB_ID.exec(identifier)?.[1];
    if (id === undefined) {
      throw new BedrockFailure(
        "ValidationException",
        `The provided job identifier ${identifier} is invalid.`,
      );
    }
    const job = this.#jobs.get(id);
    const isMeant = job !== undefined && [job.id, job.arn].includes(identifier);
    if (!isMeant) throw noSuchResource(identifier);
    return job;
  }

  /** Moves a job on; a status that lies behind it changes nothing. */
  move(job: Job, status: JobStatus, message: string | null = null): void {
    if (!mayMove(job.status, status)) return;
    job.status = status;
    job.message = message;
    job.lastModifiedTimeMs = Date.now();
    if (isTerminal(status)) job.endTimeMs = job.lastModifiedTimeMs;
    this.save(job);
  }

  save(job: Job): void {
    const path = `${this.#dir}/${job.id}.json`;
    Deno.writeTextFileSync(`${path}.new`, JSON.stringify(job));
    Deno.renameSync(`${path}.new`, path);
  }

  #add(job: Job): void {
    this.#jobs.set(job.id, job);
    const token = job.request.clientRequestToken;
    if (token !== undefined) this.#byToken.set(token, job);
  }

  #nextSequence(): number {
    return (this.all().at(-1)?.sequence ?? 0) + 1;
  }
}

function readJson(path: string): unknown {
  return JSON.parse(Deno.readTextFileSync(path));
}
