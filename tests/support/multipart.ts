import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  type CompleteMultipartUploadCommandOutput,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";

/** S3's minimum for every part but the last. */
export const PART_BYTES = 5 * 1024 * 1024;

/** One record of each file-based provider, in its own format. */
export const RECORDS = {
  openai: '{"custom_id":"a","method":"POST","url":"/v1/responses","body":{}}\n',
  gemini: '{"key":"a","request":{}}\n',
} as const;

export type FileProvider = keyof typeof RECORDS;

export interface UploadPlace {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

/** A part that is just large enough, and begins with a record. */
export function largePart(record: string): Uint8Array {
  const bytes = new Uint8Array(PART_BYTES).fill(0x20);
  bytes.set(new TextEncoder().encode(record));
  bytes[PART_BYTES - 1] = 0x0a;
  return bytes;
}

export async function createUpload(
  s3: S3Client,
  bucket: string,
  key: string,
  input: Partial<CreateMultipartUploadCommandInput> = {},
): Promise<UploadPlace> {
  const { UploadId: uploadId = "" } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ...input }),
  );
  return { bucket, key, uploadId };
}

export async function uploadPart(
  s3: S3Client,
  { bucket, key, uploadId }: UploadPlace,
  partNumber: number,
  body: Uint8Array | string,
): Promise<CompletedPart> {
  const { ETag, ChecksumCRC32 } = await s3.send(
    new UploadPartCommand({
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
      PartNumber: partNumber,
      Body: body,
    }),
  );
  return { PartNumber: partNumber, ETag, ChecksumCRC32 };
}

export function completeUpload(
  s3: S3Client,
  { bucket, key, uploadId }: UploadPlace,
  parts: CompletedPart[],
  input: Partial<CompleteMultipartUploadCommandInput> = {},
): Promise<CompleteMultipartUploadCommandOutput> {
  return s3.send(
    new CompleteMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
      MultipartUpload: { Parts: parts },
      ...input,
    }),
  );
}

export async function readObject(
  s3: S3Client,
  bucket: string,
  key: string,
): Promise<Uint8Array> {
  const { Body: body } = await s3.send(
    new GetObjectCommand({ Bucket: bucket, Key: key }),
  );
  return await body?.transformToByteArray() ?? new Uint8Array();
}

export function sha256(...pieces: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
