import {
  serveSimulator,
  type Simulator,
  type SimulatorOptions,
} from "../simulator.ts";
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
} from "./buckets.ts";
import { deleteObjects } from "./bulk_delete.ts";
import { parseS3Call, rawPathOf, type S3Call } from "./call.ts";
import { completeUpload } from "./completion.ts";
import { copyObject } from "./copying.ts";
import { failureResponse, S3Failure } from "./failure.ts";
import { S3Folder } from "./folder.ts";
import { listObjects, listObjectsV2 } from "./listing.ts";
import {
  abortUpload,
  copyPart,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
} from "./multipart.ts";
import { deleteObject, putObject, readObject } from "./objects.ts";

const REGION = "us-west-2";
const ACCOUNT = "123456789012";
/** The bucket that the documented examples use. */
const FIRST_BUCKET = "your-s3-bucket";
/** A refused body up to this size is read, so that the client sees why. */
const DRAIN_BYTES_MAX = 16 * 1024 * 1024;

export interface S3SimulatorOptions extends SimulatorOptions {
  /** Buckets that exist from the start; by default `your-s3-bucket`. */
  readonly buckets?: readonly string[];
}

/**
 * Serves Amazon S3's REST API, path style. Any signature passes; a request
 * without one, or with the access key `INVALID`, is refused. Objects in
 * `dataDir` outlive the simulator.
 */
export async function startS3Simulator(
  options: S3SimulatorOptions = {},
): Promise<Simulator> {
  const dir = options.dataDir ??
    await Deno.makeTempDir({ prefix: "sandbox-s3-" });
  const folder = new S3Folder(dir);
  for (const name of options.buckets ?? [FIRST_BUCKET]) {
    if (!folder.has(name)) folder.create(name, REGION);
  }
  async function removeTemporary(): Promise<void> {
    if (options.dataDir !== undefined) return;
    await Deno.remove(dir, { recursive: true });
  }
  const server = await serveSimulator(
    options,
    (request) => handle(request, folder),
    operationOf,
  ).catch(async (error: unknown) => {
    await removeTemporary();
    throw error;
  });
  return {
    url: server.url,
    async close(): Promise<void> {
      await server.close();
      await removeTemporary();
    },
  };
}

async function handle(request: Request, folder: S3Folder): Promise<Response> {
  const requestId = crypto.randomUUID().replaceAll("-", "").toUpperCase();
  const response = await answer(request, folder, requestId);
  response.headers.set("x-amz-request-id", requestId);
  response.headers.set("x-amz-id-2", "sandbox");
  return response;
}

async function answer(
  request: Request,
  folder: S3Folder,
  requestId: string,
): Promise<Response> {
  try {
    requireAuthorization(request.headers);
    return await perform(parseS3Call(request), folder);
  } catch (error) {
    await drain(request);
    const failure = error instanceof S3Failure ? error : internalError(error);
    const resource = rawPathOf(request.url);
    return failureResponse(failure, {
      method: request.method,
      resource,
      requestId,
    });
  }
}

function perform(
  call: S3Call,
  folder: S3Folder,
): Response | Promise<Response> {
  switch (call.operation) {
    case "ListBuckets":
      return listBuckets(call, folder);
    case "CreateBucket":
      return createBucket(call, folder, REGION);
    case "HeadBucket":
      return headBucket(call, folder);
    case "DeleteBucket":
      return deleteBucket(call, folder);
    case "GetBucketLocation":
      return getBucketLocation(call, folder);
    case "ListObjects":
      return listObjects(call, folder);
    case "ListObjectsV2":
      return listObjectsV2(call, folder);
    case "ListMultipartUploads":
      return listUploads(call, folder);
    case "DeleteObjects":
      return deleteObjects(call, folder);
    case "PutObject":
      return putObject(call, folder);
    case "CopyObject":
      return copyObject(call, folder);
    case "GetObject":
    case "HeadObject":
      return readObject(call, folder);
    case "DeleteObject":
      return deleteObject(call, folder);
    case "CreateMultipartUpload":
      return createUpload(call, folder);
    case "UploadPart":
      return uploadPart(call, folder);
    case "UploadPartCopy":
      return copyPart(call, folder);
    case "CompleteMultipartUpload":
      return completeUpload(call, folder);
    case "AbortMultipartUpload":
      return abortUpload(call, folder);
    case "ListParts":
      return listParts(call, folder);
  }
}

function requireAuthorization(headers: Headers): void {
  const authorization = headers.get("authorization") ?? "";
  if (authorization === "") {
    throw new S3Failure("AccessDenied", "Access Denied");
  }
  const accessKeyId = /Credential=([^/,\s]*)/.exec(authorization)?.[1] ?? "";
  if (accessKeyId === "INVALID") {
    throw new S3Failure(
      "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records.",
      { details: { AWSAccessKeyId: accessKeyId } },
    );
  }
  const isSigV4 = authorization.startsWith("AWS4-");
  if (isSigV4 && !headers.has("x-amz-content-sha256")) {
    throw new S3Failure(
      "InvalidRequest",
      "Missing required header for this request: x-amz-content-sha256",
    );
  }
  const owner = headers.get("x-amz-expected-bucket-owner") ?? ACCOUNT;
  if (owner !== ACCOUNT) throw new S3Failure("AccessDenied", "Access Denied");
}

/** Names a request in the count of calls by its operation. */
function operationOf(request: Request): string {
  try {
    return parseS3Call(request).operation;
  } catch {
    return "unknown";
  }
}

/** A client that is still sending may never read an early refusal. */
async function drain(request: Request): Promise<void> {
  if (request.body === null || request.bodyUsed) return;
  const reader = request.body.getReader();
  try {
    for (let sizeBytes = 0; sizeBytes <= DRAIN_BYTES_MAX;) {
      const { value, done } = await reader.read();
      if (done) return;
      sizeBytes += value.length;
    }
  } catch {
    // The client went away; nobody is left to tell.
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** A defect of the simulator; its text helps whoever runs the sandbox. */
function internalError(error: unknown): S3Failure {
  return new S3Failure("InternalError", `Sandbox defect: ${String(error)}`);
}
