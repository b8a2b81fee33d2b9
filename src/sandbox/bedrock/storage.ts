import { createReadStream } from "node:fs";
import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";

/** Why a job cannot be carried out; becomes the job's `message`. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
}

export interface S3Location {
  readonly bucket: string;
  /** "" for the bucket itself. */
  readonly key: string;
}

export interface StorageOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** S3 as Bedrock reaches it, under the job's role: any S3 server will do. */
export class JobStorage {
  readonly #s3: S3Client;
  readonly #closing: AbortSignal;

  constructor(options: StorageOptions, closing: AbortSignal) {
    const { endpoint, region, accessKeyId, secretAccessKey } = options;
    this.#s3 = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      // Streams then go out plain, with their length and without a trailer.
      requestChecksumCalculation: "WHEN_REQUIRED",
      credentials: { accessKeyId, secretAccessKey },
    });
    this.#closing = closing;
  }

  close(): void {
    this.#s3.destroy();
  }

  async hasBucket(bucket: string): Promise<boolean> {
    const command = new HeadBucketCommand({ Bucket: bucket });
    const options = { abortSignal: this.#closing };
    return await unlessMissing(this.#s3.send(command, options)) !== null;
  }

  /** The size of an object in bytes, or null where there is none. */
  async sizeOf({ bucket, key }: S3Location): Promise<number | null> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
    const options = { abortSignal: this.#closing };
    const head = await unlessMissing(this.#s3.send(command, options));
    return head === null ? null : head.ContentLength ?? 0;
  }

  /** Every key that starts so; null where the bucket does not exist. */
  async keysUnder({ bucket, key }: S3Location): Promise<string[] | null> {
    const pages = paginateListObjectsV2(
      { client: this.#s3 },
      { Bucket: bucket, Prefix: key },
      { abortSignal: this.#closing },
    );
    const keys: string[] = [];
    try {
      for await (const { Contents = [] } of pages) {
        keys.push(...Contents.flatMap(({ Key }) => Key ?? []));
      }
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    return keys;
  }

  /** Copies an object to a file; the size is bounded before any byte comes. */
  async download(
    { bucket, key }: S3Location,
    path: string,
    sizeBytesMax: number,
  ): Promise<void> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const options = { abortSignal: this.#closing };
    const { Body, ContentLength = 0 } = await this.#s3.send(command, options);
    const stream = Body?.transformToWebStream();
    if (stream === undefined || ContentLength > sizeBytesMax) {
      await stream?.cancel();
      throw new JobFailure(
        `The input file s3://${bucket}/${key} is larger than ${sizeBytesMax} bytes.`,
      );
    }
    await Deno.writeFile(path, stream);
  }

  async upload({ bucket, key }: S3Location, path: string): Promise<void> {
    const { size } = await Deno.stat(path);
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: createReadStream(path),
      ContentLength: size,
    });
    await this.#s3.send(command, { abortSignal: this.#closing });
  }

  async write({ bucket, key }: S3Location, text: string): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: text,
    });
    await this.#s3.send(command, { abortSignal: this.#closing });
  }
}

/** Takes `s3://bucket/key` apart; the pattern was checked at creation. */
export function parseS3Uri(uri: string): S3Location {
  const path = uri.slice("s3://".length);
  const slash = path.indexOf("/");
  if (slash < 0) return { bucket: path, key: "" };
  return { bucket: path.slice(0, slash), key: path.slice(slash + 1) };
}

async function unlessMissing<Result>(
  call: Promise<Result>,
): Promise<Result | null> {
  try {
    return await call;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException &&
    error.$metadata.httpStatusCode === 404;
}
