import { createHash } from "node:crypto";
import type { ByteStream } from "../domain/bytes.ts";
import type { ObjectBody } from "../domain/driver.ts";
import { mayReach, requireReach } from "./access.ts";
import type { BucketCall, ObjectCall, ServiceCall } from "./call.ts";
import {
  parseDeleteDocument,
  renderDeleteDocument,
  requireIntegrityHeader,
} from "./delete_document.ts";
import { openBody, readDocument, type S3Exchange } from "./exchange.ts";
import { forwardedHeaders, FORWARDING } from "./forwarding.ts";
import { parseDocument } from "./xml.ts";

/** S3's limit for one PutObject or UploadPart. */
const PUT_BYTES_MAX = 5 * 1024 ** 3;

/** The body and the headers that real S3 sees. */
export interface ForwardedBody {
  readonly body: ObjectBody | null;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Streams are verified while they pass. Documents are read whole, verified and
 * known to be well-formed before S3 hears of the call.
 */
export async function openForwardedBody(
  exchange: S3Exchange,
  call: ServiceCall | BucketCall | ObjectCall,
): Promise<ForwardedBody> {
  const forwarding = FORWARDING[call.operation];
  const headers = forwardedHeaders(exchange.headers, forwarding);
  switch (forwarding.body) {
    case "none":
      return { body: null, headers };
    case "stream":
      return { body: openBody(exchange, PUT_BYTES_MAX), headers };
    case "document":
      return await openForwardedDocument(exchange, call, headers);
  }
}

async function openForwardedDocument(
  exchange: S3Exchange,
  call: ServiceCall | BucketCall | ObjectCall,
  headers: Record<string, string>,
): Promise<ForwardedBody> {
  const { operation, bucket } = call;
  const { principal } = exchange.context;
  const inPart = operation === "DeleteObjects" && bucket !== null &&
    !mayReach(principal, bucket, { kind: "whole_bucket" });
  if (inPart) return await rewriteDeletions(exchange, bucket, headers);
  const { bytes, checksums } = await readDocument(
    exchange,
    operation === "CompleteMultipartUpload" ? "object" : "document",
  );
  if (bytes.length > 0) parseDocument(bytes);
  // A checksum that came in a trailer reaches S3 as a header.
  for (const [name, value] of Object.entries(checksums)) {
    headers[`x-amz-checksum-${name}`] = value;
  }
  return { body: bodyOf(bytes), headers };
}

/**
 * A credential that reaches only a part of the bucket has its document written
 * anew: whatever another parser might find in the original is not passed on.
 */
async function rewriteDeletions(
  exchange: S3Exchange,
  bucket: string,
  headers: Record<string, string>,
): Promise<ForwardedBody> {
  requireIntegrityHeader(exchange.headers);
  const { bytes } = await readDocument(exchange);
  const document = parseDeleteDocument(bytes);
  for (const { key } of document.deletions) {
    requireReach(exchange.context.principal, bucket, { kind: "key", key });
  }
  const anew = new TextEncoder().encode(renderDeleteDocument(document));
  const md5 = createHash("md5").update(anew).digest("base64");
  const kept = Object.entries(headers).filter(([name]) =>
    !name.startsWith("x-amz-checksum-") &&
    name !== "x-amz-sdk-checksum-algorithm"
  );
  return {
    body: bodyOf(anew),
    headers: { ...Object.fromEntries(kept), "content-md5": md5 },
  };
}

function bodyOf(bytes: Uint8Array<ArrayBuffer>): ObjectBody {
  const stream: ByteStream = new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
  return { stream, sizeBytes: bytes.length };
}
