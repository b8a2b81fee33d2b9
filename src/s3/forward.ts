import type { ObjectStorage } from "../domain/driver.ts";
import { reachesEveryBucket, requireReach } from "./access.ts";
import type { S3Answer } from "./answer.ts";
import type { BucketCall, ObjectCall, ServiceCall } from "./call.ts";
import { parseCopySource } from "./copy_source.ts";
import type { S3Exchange } from "./exchange.ts";
import { answerOf, reachableBuckets } from "./forwarded_answer.ts";
import { openForwardedBody } from "./forwarded_body.ts";
import { forwardedQuery, FORWARDING } from "./forwarding.ts";
import { requireBucketName, requireKey } from "./name.ts";

/**
 * Hands a call on to real S3, once the credential is known to reach what it
 * touches, and answers what S3 answers, its errors included.
 */
export async function forwardCall(
  exchange: S3Exchange,
  storage: ObjectStorage,
  call: ServiceCall | BucketCall | ObjectCall,
): Promise<S3Answer> {
  const { principal } = exchange.context;
  if (call.scope === "bucket") requireReachOfBucketCall(exchange, call);
  if (call.scope === "object") requireReachOfObjectCall(exchange, call);
  const { body, headers } = await openForwardedBody(exchange, call);
  const response = await storage.forward(exchange.context, {
    method: call.method,
    bucket: call.bucket,
    rawKey: call.scope === "object" ? call.rawKey : null,
    query: forwardedQuery(call.parameters, FORWARDING[call.operation]),
    headers,
    body,
  });
  const listsAll = call.scope === "service" && response.status === 200 &&
    !reachesEveryBucket(principal);
  return listsAll
    ? await reachableBuckets(response, principal)
    : await answerOf(response, {
      method: call.method,
      requestId: exchange.context.requestId,
    });
}

function requireReachOfBucketCall(
  exchange: S3Exchange,
  call: BucketCall,
): void {
  const { principal } = exchange.context;
  requireBucketName(call.bucket);
  switch (call.operation) {
    case "HeadBucket":
    case "GetBucketLocation":
    // The keys of a bulk delete are checked when its document has been read.
    case "DeleteObjects":
      return requireReach(principal, call.bucket, { kind: "bucket" });
    case "CreateBucket":
    case "DeleteBucket":
      return requireReach(principal, call.bucket, { kind: "whole_bucket" });
    case "ListObjects":
    case "ListObjectsV2":
    case "ListMultipartUploads": {
      const prefix = call.parameters.get("prefix") ?? "";
      return requireReach(principal, call.bucket, { kind: "prefix", prefix });
    }
  }
}

function requireReachOfObjectCall(
  exchange: S3Exchange,
  call: ObjectCall,
): void {
  const { principal } = exchange.context;
  requireBucketName(call.bucket);
  requireKey(call.key);
  requireReach(principal, call.bucket, { kind: "key", key: call.key });
  if (call.operation !== "CopyObject" && call.operation !== "UploadPartCopy") {
    return;
  }
  const header = exchange.headers.get("x-amz-copy-source") ?? "";
  // Servers differ in what a bare plus means: the credential must reach both.
  for (const plus of ["is_space", "is_plus"] as const) {
    const { bucket, key } = parseCopySource(header, plus);
    requireReach(principal, bucket, { kind: "key", key });
  }
}
