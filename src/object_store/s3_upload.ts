import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";
import { type BodyPart, cutIntoParts } from "./body_parts.ts";

/** Above S3's minimum of 5 MiB, and all that is held of a body. */
const PART_BYTES = 8 * 1024 * 1024;
/** S3's limit; see CompleteMultipartUpload in the S3 API Reference. */
const PART_COUNT_MAX = 10_000;
const REQUEST_TIMEOUT_MS = 120_000;
const ABORT_TIMEOUT_MS = 10_000;
/** A writer is not at work on one object for longer than that. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

export interface S3Place {
  readonly bucket: string;
  readonly key: string;
}

/**
 * Writes a body of unknown length: a small one with one PutObject, a larger
 * one part by part. It appears when S3 has all of it, or never.
 *
 * @returns its size in bytes.
 */
export async function uploadBody(
  client: S3Client,
  place: S3Place,
  body: ByteStream,
  signal?: AbortSignal,
): Promise<number> {
  let upload: MultipartUpload | null = null;
  let sizeBytes = 0;
  try {
    for await (const part of cutIntoParts(body, PART_BYTES, signal)) {
      sizeBytes += part.bytes.length;
      if (upload === null && part.last) {
        await putWhole(client, place, part.bytes, signal);
        return sizeBytes;
      }
      upload ??= await MultipartUpload.create(client, place, signal);
      await upload.add(part);
    }
    await upload?.complete();
    return sizeBytes;
  } catch (error) {
    await upload?.abort();
    throw error;
  }
}

async function putWhole(
  client: S3Client,
  { bucket, key }: S3Place,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  await client.send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }),
    optionsFor(signal),
  );
}

class MultipartUpload {
  readonly #client: S3Client;
  readonly #target: { Bucket: string; Key: string; UploadId: string };
  readonly #signal: AbortSignal | undefined;
  readonly #parts: CompletedPart[] = [];

  private constructor(
    client: S3Client,
    target: { Bucket: string; Key: string; UploadId: string },
    signal: AbortSignal | undefined,
  ) {
    this.#client = client;
    this.#target = target;
    this.#signal = signal;
  }

  static async create(
    client: S3Client,
    { bucket, key }: S3Place,
    signal?: AbortSignal,
  ): Promise<MultipartUpload> {
    const place = { Bucket: bucket, Key: key };
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand(place),
      optionsFor(signal),
    );
    if (UploadId === undefined) throw new Error("S3 opened no upload");
    return new MultipartUpload(client, { ...place, UploadId }, signal);
  }

  async add({ bytes }: BodyPart): Promise<void> {
    const PartNumber = this.#parts.length + 1;
    if (PartNumber > PART_COUNT_MAX) {
      throw new GatewayError(
        { kind: "entity_too_large", bytesMax: PART_COUNT_MAX * PART_BYTES },
        "The bytes to be stored are more than the object store takes.",
      );
    }
    const { ETag } = await this.#client.send(
      new UploadPartCommand({ ...this.#target, PartNumber, Body: bytes }),
      optionsFor(this.#signal),
    );
    this.#parts.push({ ETag, PartNumber });
  }

  async complete(): Promise<void> {
    await this.#client.send(
      new CompleteMultipartUploadCommand({
        ...this.#target,
        MultipartUpload: { Parts: this.#parts },
      }),
      optionsFor(this.#signal),
    );
  }

  /** Best effort: what is left is swept. */
  async abort(): Promise<void> {
    await this.#client.send(
      new AbortMultipartUploadCommand(this.#target),
      optionsFor(AbortSignal.timeout(ABORT_TIMEOUT_MS)),
    ).catch(() => {});
  }
}

/** Aborts uploads below `prefix` that killed processes have left behind. */
export async function sweepUploads(
  client: S3Client,
  bucket: string,
  prefix: string,
): Promise<void> {
  const { Uploads: uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }),
    optionsFor(),
  );
  for (const { Key, UploadId, Initiated } of uploads) {
    const ageMs = Date.now() - (Initiated?.getTime() ?? Date.now());
    if (ageMs < ABANDONED_MS) continue;
    await client.send(
      new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }),
      optionsFor(),
    );
  }
}

function optionsFor(signal?: AbortSignal): {
  requestTimeout: number;
  abortSignal?: AbortSignal;
} {
  return {
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...(signal === undefined ? {} : { abortSignal: signal }),
  };
}
