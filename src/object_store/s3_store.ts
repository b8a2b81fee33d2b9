import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type AwsCredentials, createS3Client } from "../aws/clients.ts";
import { Exchange } from "../aws/exchange.ts";
import { openWatchedBody } from "../aws/watched_body.ts";
import type { ByteRange, ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectStore, StoredObject } from "../domain/object_store.ts";
import { isMissing, toS3StoreFailure } from "./s3_failure.ts";
import { sweepUploads, uploadBody } from "./s3_upload.ts";
import { abortFailure } from "./store_failure.ts";
import { checkKey, checkPrefix } from "./store_key.ts";

export interface S3ObjectStoreOptions {
  readonly bucket: string;
  /** Keys begin with this and a `/`; "": with nothing. */
  readonly prefix: string;
  readonly region: string;
  /** Another S3 server, reached in path style; null: AWS. */
  readonly endpoint: string | null;
  /** Absent: the AWS SDK's own chain, asked on the first call. */
  readonly credentials?: AwsCredentials;
}

/** Every command here may be repeated. */
const ATTEMPTS_MAX = 3;

/**
 * An object store in a bucket, for gateways without a disk of their own and
 * for several that share their work.
 */
export function createS3ObjectStore(
  options: S3ObjectStoreOptions,
): ObjectStore {
  return new S3ObjectStore(options);
}

class S3ObjectStore implements ObjectStore {
  readonly kind = "s3";
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(options: S3ObjectStoreOptions) {
    const { region, endpoint, credentials = null } = options;
    this.#client = createS3Client({
      region,
      endpoint,
      credentials,
      attemptsMax: ATTEMPTS_MAX,
    }).client;
    this.#bucket = options.bucket;
    const trimmed = options.prefix.replace(/^\/+|\/+$/g, "");
    this.#prefix = trimmed === "" ? "" : `${trimmed}/`;
  }

  async put(
    key: string,
    body: ByteStream,
    signal?: AbortSignal,
  ): Promise<StoredObject> {
    checkKey(key);
    const place = { bucket: this.#bucket, key: this.#prefix + key };
    try {
      const sizeBytes = await uploadBody(this.#client, place, body, signal);
      return { key, sizeBytes, modifiedAt: new Date() };
    } catch (error) {
      if (signal?.aborted === true) throw abortFailure(signal);
      throw toS3StoreFailure(error);
    }
  }

  async head(key: string): Promise<StoredObject | null> {
    checkKey(key);
    try {
      const head = await this.#client.send(
        new HeadObjectCommand(this.#address(key)),
      );
      return {
        key,
        sizeBytes: head.ContentLength ?? 0,
        modifiedAt: head.LastModified ?? new Date(0),
      };
    } catch (error) {
      if (isMissing(error)) return null;
      throw toS3StoreFailure(error);
    }
  }

  async open(key: string, range?: ByteRange): Promise<ByteStream | null> {
    if (range === undefined) return await this.#get(key);
    const object = await this.head(key);
    if (object === null) return null;
    const { offsetBytes, lengthBytes } = range;
    const { sizeBytes } = object;
    const within = offsetBytes >= 0 && lengthBytes >= 0 &&
      offsetBytes + lengthBytes <= sizeBytes;
    if (!within) {
      throw new GatewayError(
        { kind: "invalid_range", sizeBytes },
        "The range does not lie within the object.",
      );
    }
    // A range of nothing cannot be said in HTTP.
    if (lengthBytes === 0) return new Blob([]).stream();
    const lastByte = offsetBytes + lengthBytes - 1;
    return await this.#get(key, `bytes=${offsetBytes}-${lastByte}`);
  }

  async #get(key: string, range?: string): Promise<ByteStream | null> {
    checkKey(key);
    const exchange = new Exchange(new AbortController().signal);
    try {
      const { Body: body } = await this.#client.send(
        new GetObjectCommand({
          ...this.#address(key),
          ...(range === undefined ? {} : { Range: range }),
        }),
        { abortSignal: exchange.signal },
      );
      if (!(body instanceof ReadableStream)) throw new TypeError("no stream");
      return openWatchedBody(body, exchange);
    } catch (error) {
      exchange.close();
      if (isMissing(error)) return null;
      throw toS3StoreFailure(error);
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    try {
      await this.#client.send(new DeleteObjectCommand(this.#address(key)));
    } catch (error) {
      if (!isMissing(error)) throw toS3StoreFailure(error);
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    checkPrefix(prefix);
    let token: string | undefined;
    do {
      const page = await this.#listPage(prefix, token);
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue;
        yield {
          key: Key.slice(this.#prefix.length),
          sizeBytes: Size ?? 0,
          modifiedAt: LastModified ?? new Date(0),
        };
      }
      token = page.IsTruncated === true
        ? page.NextContinuationToken
        : undefined;
    } while (token !== undefined);
  }

  async #listPage(
    prefix: string,
    token: string | undefined,
  ): Promise<ListObjectsV2CommandOutput> {
    try {
      return await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: this.#prefix + prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
    } catch (error) {
      throw toS3StoreFailure(error);
    }
  }

  /** Also aborts uploads of a day and more that killed processes have left. */
  async probe(): Promise<void> {
    try {
      await this.put(PROBE_KEY, new Blob(["probe"]).stream());
      await this.delete(PROBE_KEY);
    } catch (error) {
      const { failure, message } = toS3StoreFailure(error);
      throw new GatewayError(
        failure,
        `${message} The gateway's AWS credentials need s3:GetObject, ` +
          "s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and " +
          `s3:ListBucket in ${this.#bucket}; FINOPS_OBJECT_STORE names it.`,
        { cause: error },
      );
    }
    // Not every server lists uploads, and not every role may.
    await sweepUploads(this.#client, this.#bucket, this.#prefix)
      .catch(() => {});
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #address(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }
}

const PROBE_KEY = ".probe";
