import type { S3Answer } from "./answer.ts";
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
} from "./buckets.ts";
import type { BucketCall, ObjectCall, ServiceCall } from "./call.ts";
import { copyObject, uploadPartCopy } from "./copies.ts";
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
import { listMultipartUploads } from "./upload_lists.ts";
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  listParts,
  uploadPart,
} from "./uploads.ts";

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
    ListMultipartUploads: listMultipartUploads,
  };

const OBJECT_OPERATIONS: Readonly<Record<ObjectOperation, Serve<ObjectCall>>> =
  {
    PutObject: putObject,
    GetObject: getObject,
    HeadObject: headObject,
    GetObjectAttributes: getObjectAttributes,
    DeleteObject: deleteObject,
    CopyObject: copyObject,
    CreateMultipartUpload: createMultipartUpload,
    UploadPart: uploadPart,
    UploadPartCopy: uploadPartCopy,
    CompleteMultipartUpload: completeMultipartUpload,
    AbortMultipartUpload: abortMultipartUpload,
    ListParts: listParts,
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
