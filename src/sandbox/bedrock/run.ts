import { JsonLinesWriter } from "../jsonl.ts";
import { ClosedError, type DataFolder, type Pace } from "../simulator.ts";
import {
  fetchInputFile,
  findInputFiles,
  type InputFile,
  readRecords,
} from "./input.ts";
import type { Job } from "./job.ts";
import type { JobTable } from "./job_table.ts";
import { answerRecord } from "./record.ts";
import { JobFailure, type JobStorage, parseS3Uri } from "./storage.ts";

/** How many steps a running job's counts take to the end, at most. */
const PROGRESS_STEPS = 10;

export interface JobRunDeps {
  readonly table: JobTable;
  readonly storage: JobStorage;
  readonly folder: DataFolder;
  readonly pace: Pace;
  readonly closing: AbortSignal;
}

/** An input file that was checked, and where its copy lies. */
interface CheckedFile extends InputFile {
  readonly path: string;
  readonly recordCount: number;
}

/** Carries one job from Submitted to its end. */
export class JobRun {
  readonly #job: Job;
  readonly #deps: JobRunDeps;
  readonly #temporaryNames: string[] = [];
  readonly #tokens = { input: 0, output: 0 };

  constructor(job: Job, deps: JobRunDeps) {
    this.#job = job;
    this.#deps = deps;
  }

  /** @throws {ClosedError} where the simulator closes before the job ends. */
  async run(): Promise<void> {
    const { table, closing } = this.#deps;
    try {
      await this.#stages();
    } catch (error) {
      if (closing.aborted) throw new ClosedError();
      table.move(this.#job, "Failed", failureMessage(error));
    } finally {
      const { folder } = this.#deps;
      for (const name of this.#temporaryNames) await folder.remove(name);
    }
  }

  async #stages(): Promise<void> {
    const { table, pace } = this.#deps;
    await pace.stage();
    if (this.#isStopping()) return await this.#stop();
    table.move(this.#job, "Validating");
    const files = await this.#validate();
    await pace.stage();
    if (this.#isStopping()) return await this.#stop();
    table.move(this.#job, "Scheduled");
    await pace.stage();
    if (this.#isStopping()) return await this.#stop();
    table.move(this.#job, "InProgress");
    await this.#answerAll(files);
    if (this.#isStopping()) return await this.#stop();
    table.move(this.#job, "Completed");
  }

  /** A call of StopModelInvocationJob changes the status at any await. */
  #isStopping(): boolean {
    return this.#job.status === "Stopping";
  }

  /** Bedrock takes a while to stop, and callers see it stopping. */
  async #stop(): Promise<void> {
    await this.#deps.pace.stage();
    this.#deps.table.move(this.#job, "Stopped");
  }

  async #validate(): Promise<CheckedFile[]> {
    const { storage, table } = this.#deps;
    const { inputDataConfig, outputDataConfig } = this.#job.request;
    const outputUri = outputDataConfig.s3OutputDataConfig.s3Uri;
    const files = await findInputFiles(
      storage,
      inputDataConfig.s3InputDataConfig.s3Uri,
    );
    if (!await storage.hasBucket(parseS3Uri(outputUri).bucket)) {
      throw new JobFailure(
        `The bucket of the output ${outputUri} does not exist.`,
      );
    }
    const checked: CheckedFile[] = [];
    for (const file of files) {
      const path = this.#temporaryPath();
      const recordCount = await fetchInputFile(storage, file, path);
      checked.push({ ...file, path, recordCount });
    }
    const { counts } = this.#job;
    counts.total = checked.reduce(
      (sum, { recordCount }) => sum + recordCount,
      0,
    );
    table.save(this.#job);
    return checked;
  }

  async #answerAll(files: readonly CheckedFile[]): Promise<void> {
    const { counts } = this.#job;
    for (const file of files) {
      if (this.#isStopping()) break;
      const path = this.#temporaryPath();
      const writer = await JsonLinesWriter.create(path);
      try {
        await this.#answerFile(file, writer);
      } finally {
        await writer.close();
      }
      await this.#deps.storage.upload(this.#outputOf(`${file.name}.out`), path);
    }
    if (counts.processed === 0) return;
    await this.#deps.storage.write(
      this.#outputOf("manifest.json.out"),
      JSON.stringify({
        totalRecordCount: counts.total,
        processedRecordCount: counts.processed,
        successRecordCount: counts.success,
        errorRecordCount: counts.error,
        inputTokenCount: this.#tokens.input,
        outputTokenCount: this.#tokens.output,
      }),
    );
  }

  /** A stopped job keeps what was answered so far. */
  async #answerFile(file: CheckedFile, writer: JsonLinesWriter): Promise<void> {
    const { counts, request } = this.#job;
    const { modelId, modelInvocationType = "InvokeModel" } = request;
    const steps = Math.min(PROGRESS_STEPS, counts.total);
    for await (const record of readRecords(file.path)) {
      if (this.#isStopping()) return;
      const result = answerRecord(record, modelId, modelInvocationType);
      await writer.write(result.line);
      this.#tokens.input += result.inputTokens;
      this.#tokens.output += result.outputTokens;
      const stepBefore = Math.floor(counts.processed * steps / counts.total);
      counts.processed += 1;
      if (result.isError) counts.error += 1;
      else counts.success += 1;
      const step = Math.floor(counts.processed * steps / counts.total);
      if (step > stepBefore) await this.#deps.pace.stage(1 / steps);
    }
  }

  /** Where Bedrock puts a result: `<output>/<job id>/<name>`. */
  #outputOf(name: string): { bucket: string; key: string } {
    const { s3Uri } = this.#job.request.outputDataConfig.s3OutputDataConfig;
    const { bucket, key } = parseS3Uri(s3Uri);
    const prefix = key === "" || key.endsWith("/") ? key : `${key}/`;
    return { bucket, key: `${prefix}${this.#job.id}/${name}` };
  }

  #temporaryPath(): string {
    const name = crypto.randomUUID();
    this.#temporaryNames.push(name);
    return this.#deps.folder.pathOf(name);
  }
}

function failureMessage(error: unknown): string {
  if (error instanceof JobFailure) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  return `The job could not be carried out: ${text}`;
}
