import { z } from "zod";
import { readJsonLines } from "../jsonl.ts";
import {
  JobFailure,
  type JobStorage,
  parseS3Uri,
  type S3Location,
} from "./storage.ts";

// Amazon Bedrock service quotas for batch inference; the minimum of 100
// records a job is left out, so that examples can be small.
const RECORDS_MAX = 100_000;
const FILE_BYTES_MAX = 1024 ** 3;
const FILES_MAX = 1000;

const recordSchema = z.object({
  recordId: z.string().optional(),
  modelInput: z.record(z.string(), z.unknown()),
});

/** One line of the input; `modelInput` is not judged here. */
export interface InputRecord {
  readonly recordId: string;
  readonly modelInput: Readonly<Record<string, unknown>>;
}

/** One input file and how it is named below the job's input. */
export interface InputFile {
  readonly location: S3Location;
  readonly name: string;
}

/**
 * Finds the files that a job's `s3Uri` means: the object itself, or every
 * `.jsonl` below it.
 *
 * @throws {JobFailure} where there is none.
 */
export async function findInputFiles(
  storage: JobStorage,
  uri: string,
): Promise<InputFile[]> {
  const location = parseS3Uri(uri);
  const { bucket, key } = location;
  const isFolder = key === "" || key.endsWith("/");
  if (!isFolder && await storage.sizeOf(location) !== null) {
    if (!key.endsWith(".jsonl")) {
      throw new JobFailure(`The input ${uri} must end in .jsonl.`);
    }
    const name = key.slice(key.lastIndexOf("/") + 1);
    return [{ location, name }];
  }
  const prefix = isFolder ? key : `${key}/`;
  const keys = await storage.keysUnder({ bucket, key: prefix });
  if (keys === null) {
    throw new JobFailure(`The bucket of the input ${uri} does not exist.`);
  }
  const files = keys.filter((found) => found.endsWith(".jsonl"));
  if (files.length === 0) {
    throw new JobFailure(
      `The input ${uri} does not exist, or has no .jsonl file below it.`,
    );
  }
  if (files.length > FILES_MAX) {
    throw new JobFailure(`The input ${uri} has more than ${FILES_MAX} files.`);
  }
  return files.map((found) => ({
    location: { bucket, key: found },
    name: found.slice(prefix.length),
  }));
}

/**
 * Copies a file, so that what happens to the object later changes nothing, and
 * checks that it holds records.
 *
 * @returns The number of records.
 * @throws {JobFailure} naming the first line that is wrong.
 */
export async function fetchInputFile(
  storage: JobStorage,
  file: InputFile,
  path: string,
): Promise<number> {
  await storage.download(file.location, path, FILE_BYTES_MAX);
  let count = 0;
  for await (const line of readJsonLines(path)) {
    if (!recordSchema.safeParse(line.value).success) {
      throw new JobFailure(
        `Line ${line.number} of ${file.name} is not a JSON object with a modelInput.`,
      );
    }
    count += 1;
    if (count > RECORDS_MAX) {
      throw new JobFailure(
        `The file ${file.name} has more than ${RECORDS_MAX} records.`,
      );
    }
  }
  if (count === 0) {
    throw new JobFailure(`The file ${file.name} has no records.`);
  }
  return count;
}

/** The records of a checked file; ids that are missing are made up. */
export async function* readRecords(path: string): AsyncGenerator<InputRecord> {
  let count = 0;
  for await (const line of readJsonLines(path)) {
    count += 1;
    const { recordId, modelInput } = recordSchema.parse(line.value);
    yield {
      recordId: recordId ?? `CALL${String(count).padStart(7, "0")}`,
      modelInput,
    };
  }
}
