import type { Checksum, ChecksumAlgorithm } from "./checksum.ts";
import { S3Failure } from "./failure.ts";
import { compareKeys } from "./key_order.ts";

export interface UploadedPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly md5Hex: string;
  readonly checksum: { algorithm: ChecksumAlgorithm; value: string } | null;
  readonly modifiedAtMs: number;
  /** The name of the file with the bytes, in the bucket's folder. */
  readonly body: string;
}

/** A multipart upload that is neither completed nor aborted. */
export interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly startedAtMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly algorithm: ChecksumAlgorithm | null;
  readonly checksumType: Checksum["type"];
  readonly parts: Map<number, UploadedPart>;
}

/**
 * Unfinished uploads. They rest in memory: a simulator that is started anew
 * forgets them, and their parts are swept with the bodies that nobody names.
 */
export class Uploads {
  readonly #uploads = new Map<string, Upload>();

  start(draft: Omit<Upload, "id" | "startedAtMs" | "parts">): Upload {
    const id = crypto.randomUUID().replaceAll("-", "");
    const upload = { ...draft, id, startedAtMs: Date.now(), parts: new Map() };
    this.#uploads.set(id, upload);
    return upload;
  }

  /** @throws {S3Failure} `NoSuchUpload`, also for another object's upload. */
  find(id: string, bucket: string, key: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload?.bucket === bucket && upload.key === key) return upload;
    throw new S3Failure(
      "NoSuchUpload",
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
      { details: { UploadId: id } },
    );
  }

  remove(id: string): void {
    this.#uploads.delete(id);
  }

  forgetBucket(bucket: string): void {
    for (const { id } of this.list(bucket)) this.remove(id);
  }

  /** By key, then by start. */
  list(bucket: string): Upload[] {
    return [...this.#uploads.values()]
      .filter((upload) => upload.bucket === bucket)
      .sort((a, b) =>
        compareKeys(a.key, b.key) || a.startedAtMs - b.startedAtMs
      );
  }
}
