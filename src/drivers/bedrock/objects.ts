import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { ByteRange, ByteStream } from "../../domain/bytes.ts";
import type {
  DriverCall,
  ObjectAddress,
  ObjectStorage,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { Exchange } from "../../aws/exchange.ts";
import { type Subject, toGatewayError } from "../../aws/failures.ts";
import { openWatchedBody } from "../../aws/watched_body.ts";
import { withRetries } from "../http_client.ts";
import type { SendOptions } from "./control_plane.ts";
import type { ObjectForwarder } from "./forwarder.ts";

/** How long S3 may take to begin its answer to a command. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Real S3, or another server that speaks its API. */
export function createObjectStorage(
  client: S3Client,
  forwarder: ObjectForwarder,
): ObjectStorage {
  return {
    kind: "objects",
    forward: (call, request) => forwarder.forward(call, request),
    headObject: (call, address) => headObject(client, call, address),
    openObject: (call, address, range) =>
      openObject(client, call, address, range),
    listObjects: (call, prefix) => listObjects(client, call, prefix),
  };
}

async function headObject(
  client: S3Client,
  call: DriverCall,
  address: ObjectAddress,
): Promise<{ sizeBytes: number; etag: string }> {
  const command = new HeadObjectCommand({
    Bucket: address.bucket,
    Key: address.key,
  });
  const head = await read(
    call,
    address,
    (options) => client.send(command, options),
  );
  return {
    sizeBytes: head.ContentLength ?? 0,
    etag: (head.ETag ?? "").replaceAll('"', ""),
  };
}

async function openObject(
  client: S3Client,
  call: DriverCall,
  address: ObjectAddress,
  range?: ByteRange,
): Promise<ByteStream> {
  // A range of nothing cannot be said in HTTP.
  if (range?.lengthBytes === 0) return new Blob([]).stream();
  const command = new GetObjectCommand({
    Bucket: address.bucket,
    Key: address.key,
    ...(range === undefined ? {} : { Range: toRangeHeader(range) }),
  });
  return await withRetries(call, async () => {
    const exchange = new Exchange(call.signal);
    const options = {
      abortSignal: exchange.signal,
      requestTimeout: ANSWER_TIMEOUT_MS,
    };
    try {
      const { Body: body } = await client.send(command, options);
      if (!(body instanceof ReadableStream)) throw new TypeError("no stream");
      return openWatchedBody(body, exchange);
    } catch (error) {
      exchange.close();
      throw exchange.failure ?? toGatewayError(error, subjectOf(address));
    }
  });
}

function toRangeHeader({ offsetBytes, lengthBytes }: ByteRange): string {
  return `bytes=${offsetBytes}-${offsetBytes + lengthBytes - 1}`;
}

async function* listObjects(
  client: S3Client,
  call: DriverCall,
  prefix: ObjectAddress,
): AsyncGenerator<{ key: string; sizeBytes: number }, void, void> {
  let token: string | undefined;
  do {
    const page = await listPage(client, call, prefix, token);
    for (const { Key: key, Size: sizeBytes = 0 } of page.Contents ?? []) {
      if (key === undefined) continue;
      yield { key: decodeKey(key, page.EncodingType), sizeBytes };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

async function listPage(
  client: S3Client,
  call: DriverCall,
  prefix: ObjectAddress,
  token: string | undefined,
) {
  const command = new ListObjectsV2Command({
    Bucket: prefix.bucket,
    Prefix: prefix.key,
    // Keys may hold characters that XML cannot.
    EncodingType: "url",
    ...(token === undefined ? {} : { ContinuationToken: token }),
  });
  return await read(call, prefix, (options) => client.send(command, options));
}

/** Runs a command that only reads, again where S3 could not be reached. */
function read<T>(
  call: DriverCall,
  address: ObjectAddress,
  send: (options: SendOptions) => Promise<T>,
): Promise<T> {
  return withRetries(call, async () => {
    const { signal } = call;
    try {
      return await send({
        abortSignal: signal,
        requestTimeout: ANSWER_TIMEOUT_MS,
      });
    } catch (error) {
      throw toGatewayError(error, subjectOf(address), signal);
    }
  });
}

/** Servers that do not encode do not say that they did. */
function decodeKey(key: string, encoding: string | undefined): string {
  if (encoding !== "url") return key;
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch (cause) {
    throw new GatewayError(
      { kind: "upstream_failed" },
      "S3 listed a key that is not validly encoded.",
      { cause },
    );
  }
}

function subjectOf({ bucket, key }: ObjectAddress): Subject {
  return { service: "S3", missing: { kind: "no_such_key", key }, bucket };
}
