import type { CopySource, CopySources } from "../domain/copies/copy_sources.ts";
import type { ObjectRequest, ObjectStorage } from "../domain/driver.ts";
import type { ObjectHeaders } from "../domain/object.ts";
import { requireReach } from "./access.ts";
import { documentAnswer, type S3Answer } from "./answer.ts";
import type { ObjectCall } from "./call.ts";
import {
  checkSourceConditions,
  readMetadataDirective,
  readSourceName,
  readSourceRange,
} from "./copy_request.ts";
import { quoteEtag, unquoteEtag } from "./etag.ts";
import type { S3Exchange } from "./exchange.ts";
import { answerOf } from "./forwarded_answer.ts";
import { forwardedHeaders, forwardedQuery, FORWARDING } from "./forwarding.ts";
import { requireBucketName, requireKey } from "./name.ts";
import { branch, leaf } from "./xml.ts";

/**
 * Whether a copy into real S3 is from another provider, so that S3 itself
 * cannot do it.
 */
export function isFromElsewhere(
  { headers }: S3Exchange,
  { operation }: Pick<ObjectCall, "operation">,
  sources: CopySources,
): boolean {
  if (operation !== "CopyObject" && operation !== "UploadPartCopy") {
    return false;
  }
  const { bucket } = readSourceName(headers);
  return sources.providerOf("bedrock", bucket) !== "bedrock";
}

/** Streams an object, or a range of it, out of its provider into real S3. */
export async function copyIntoS3(
  exchange: S3Exchange,
  call: ObjectCall,
  { storage, sources }: {
    readonly storage: ObjectStorage;
    readonly sources: CopySources;
  },
): Promise<S3Answer> {
  const { context, headers } = exchange;
  requireBucketName(call.bucket);
  requireKey(call.key);
  requireReach(context.principal, call.bucket, { kind: "key", key: call.key });
  const name = readSourceName(headers);
  const source = await sources.find(context, "bedrock", name);
  checkSourceConditions(headers, source);
  const isPart = call.operation === "UploadPartCopy";
  const range = isPart ? readSourceRange(headers, source) : null;
  const stream = await source.open(range);
  const sizeBytes = range?.lengthBytes ?? source.sizeBytes;
  const put: ObjectRequest = {
    method: "PUT",
    bucket: call.bucket,
    rawKey: call.rawKey,
    query: isPart ? forwardedQuery(call.parameters, FORWARDING.UploadPart) : [],
    headers: isPart ? {} : putHeaders(headers, source),
    body: { stream, sizeBytes },
  };
  const response = await storage.forward(context, put);
  if (response.status !== 200) {
    const { requestId } = context;
    return await answerOf(response, { method: "PUT", requestId });
  }
  await response.body?.cancel();
  const etag = unquoteEtag(response.headers.etag ?? "");
  return documentAnswer(
    branch(isPart ? "CopyPartResult" : "CopyObjectResult", [
      leaf("LastModified", new Date().toISOString()),
      leaf("ETag", quoteEtag(etag)),
    ]),
  );
}

/** What a copy says of its source, and of checksums that S3 would compute. */
const NOT_FOR_A_PUT =
  /^x-amz-(copy-source|metadata-directive$|tagging-directive$|checksum-|sdk-checksum-)/;

const METADATA_PREFIX = "x-amz-meta-";

function putHeaders(
  headers: Headers,
  source: CopySource,
): Record<string, string> {
  const given = Object.entries(forwardedHeaders(headers, FORWARDING.PutObject))
    .filter(([name]) => !NOT_FOR_A_PUT.test(name) && name !== "content-md5");
  if (readMetadataDirective(headers) === "REPLACE") {
    return Object.fromEntries(given);
  }
  const stored = storedHeaders(source.headers);
  const kept = given.filter(([name]) =>
    !name.startsWith(METADATA_PREFIX) && !SYSTEM_HEADERS.has(name)
  );
  return { ...Object.fromEntries(kept), ...stored };
}

const SYSTEM_HEADERS: ReadonlySet<string> = new Set([
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
]);

function storedHeaders(headers: ObjectHeaders): Record<string, string> {
  const system: readonly (readonly [string, string | null])[] = [
    ["cache-control", headers.cacheControl],
    ["content-disposition", headers.contentDisposition],
    ["content-encoding", headers.contentEncoding],
    ["content-language", headers.contentLanguage],
    ["content-type", headers.contentType],
    ["expires", headers.expires],
  ];
  const stored: Record<string, string> = {};
  for (const [name, value] of system) if (value !== null) stored[name] = value;
  for (const [name, value] of Object.entries(headers.metadata)) {
    stored[METADATA_PREFIX + name] = value;
  }
  return stored;
}
