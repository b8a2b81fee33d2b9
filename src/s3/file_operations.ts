import { GatewayError } from "../domain/failure.ts";
import type { S3Answer } from "./answer.ts";
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
} from "./buckets.ts";
import type { BucketCall, ObjectCall, ServiceCall } from "./call.ts";
import { deleteObjects } from "./deletions.ts";
import type { FileExchange } from "./file_exchange.ts";
import { listObjects, listObjectsV2 } from "./lists.ts";
import { requireBucketName, requireKey } from "./name.ts";
import {
  deleteObject,
  getObject,
  getObjectAttributes,
  headObject,
  putObject,
} from "./objects.ts";
import type { BucketOperation, ObjectOperation } from "./operation.ts";

type Serve<Call> = (
  exchange: FileExchange,
  call: Call,
) => S3Answer | Promise<S3Answer>;

const BUCKET_OPERATIONS: Readonly<Record<BucketOperation, Serve<BucketCall>>> =
  {
    HeadBucket: headBucket,
    CreateBucket: createBucket,
    DeleteBucket: deleteBucket,
    GetBucketLocation: getBucketLocation,
    ListObjects: listObjects,
    ListObjectsV2: listObjectsV2,
    DeleteObjects: deleteObjects,
    ListMultipartUploads: notYet("Multipart upload"),
  };

const OBJECT_OPERATIONS: Readonly<Record<ObjectOperation, Serve<ObjectCall>>> =
  {
    PutObject: putObject,
    GetObject: getObject,
    HeadObject: headObject,
    GetObjectAttributes: getObjectAttributes,
    DeleteObject: deleteObject,
    CopyObject: notYet("Copying an object"),
    CreateMultipartUpload: notYet("Multipart upload"),
    UploadPart: notYet("Multipart upload"),
    UploadPartCopy: notYet("Copying a part"),
    CompleteMultipartUpload: notYet("Multipart upload"),
    AbortMultipartUpload: notYet("Multipart upload"),
    ListParts: notYet("Multipart upload"),
  };

/** Serves a call on a provider whose objects are files of its own. */
export async function serveFromFiles(
  exchange: FileExchange,
  call: ServiceCall | BucketCall | ObjectCall,
): Promise<S3Answer> {
  if (call.scope === "service") return listBuckets(exchange, call);
  requireBucketName(call.bucket);
  if (call.scope === "bucket") {
    return await BUCKET_OPERATIONS[call.operation](exchange, call);
  }
  requireKey(call.key);
  return await OBJECT_OPERATIONS[call.operation](exchange, call);
}

function notYet(what: string): Serve<unknown> {
  return ({ provider }) => {
    throw new GatewayError(
      { kind: "unsupported" },
      `${what} is not implemented for ${provider}; upload the file with one ` +
        "PutObject.",
    );
  };
}
