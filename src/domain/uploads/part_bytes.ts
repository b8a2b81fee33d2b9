import type { ByteStream } from "../bytes.ts";
import { GatewayError } from "../failure.ts";
import type { ObjectStore, StoredObject } from "../object_store.ts";
import {
  type ChecksumFactory,
  type RunningChecksum,
  toHex,
} from "./checksums.ts";
import type { UploadPart } from "./upload.ts";
import { randomLetters } from "./upload_id.ts";

export const PARTS_PREFIX = "uploads/";

/** Each write has a key of its own: a part that is replaced stays readable. */
export function newPartKey(uploadId: string, partNumber: number): string {
  return `${PARTS_PREFIX}${uploadId}/${partNumber}.${randomLetters(16)}`;
}

/** Null where the key is none of `newPartKey`'s. */
export function parsePartKey(
  storeKey: string,
): { readonly uploadId: string; readonly partNumber: number } | null {
  const match = /^uploads\/([^/]+)\/([0-9]{1,5})\.[a-z2-7]+$/.exec(storeKey);
  if (match === null) return null;
  const [, uploadId = "", number = ""] = match;
  return { uploadId, partNumber: Number(number) };
}

/** The bytes of parts, in the object store. */
export class PartBytes {
  readonly #store: ObjectStore | null;
  readonly #createSum: ChecksumFactory;

  constructor(store: ObjectStore | null, createSum: ChecksumFactory) {
    this.#store = store;
    this.#createSum = createSum;
  }

  put(
    storeKey: string,
    body: ByteStream,
    signal: AbortSignal,
  ): Promise<StoredObject> {
    return this.require().put(storeKey, body, signal);
  }

  /** As well as it can be done; what is left over is swept. */
  async delete(storeKey: string): Promise<void> {
    await this.require().delete(storeKey).catch(() => {});
  }

  /**
   * The parts' bytes, one after the other, also added to each of `sums`. Errors
   * where a part is gone or not what it was when it was put.
   */
  join(
    parts: readonly UploadPart[],
    sums: readonly RunningChecksum[],
  ): ByteStream {
    const store = this.require();
    const createSum = this.#createSum;
    async function* read(): AsyncGenerator<Uint8Array, void, void> {
      for (const part of parts) {
        const content = await store.open(part.storeKey);
        if (content === null) throw damaged(part);
        const md5 = createSum("md5");
        for await (const chunk of content) {
          md5.update(chunk);
          for (const sum of sums) sum.update(chunk);
          yield chunk;
        }
        if (toHex(md5.base64()) !== part.etag) throw damaged(part);
      }
    }
    return ReadableStream.from(read());
  }

  /** @throws {GatewayError} `invalid_request` where nothing can be kept. */
  require(): ObjectStore {
    if (this.#store !== null) return this.#store;
    throw new GatewayError(
      { kind: "invalid_request" },
      "The parts of a multipart upload must rest with the gateway, which has " +
        "nowhere to keep them: set FINOPS_OBJECT_STORE, for instance to " +
        "s3://bucket/prefix.",
    );
  }
}

function damaged({ partNumber }: UploadPart): GatewayError {
  return new GatewayError(
    { kind: "internal" },
    `Part ${partNumber} is no longer what it was when it was uploaded; ` +
      "upload it again.",
  );
}
