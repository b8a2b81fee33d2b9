import type { ByteRange, ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type {
  ObjectRequest,
  ObjectResponse,
  ObjectStorage,
} from "../driver.ts";
import { type Failure, GatewayError } from "../failure.ts";
import type { ObjectHeaders } from "../object.ts";
import type { CopySource, SourceName } from "./copy_sources.ts";

/**
 * An object in real S3, described by its own headers.
 *
 * @throws {GatewayError} `no_such_key`, `access_denied`, or what S3 met with.
 */
export async function findInS3(
  call: CallContext,
  storage: ObjectStorage,
  name: SourceName,
): Promise<CopySource> {
  const head = await storage.forward(call, requestFor("HEAD", name, {}));
  await head.body?.cancel();
  if (head.status !== 200) throw refusal(head.status, name);
  const { headers } = head;
  const etag = (headers.etag ?? "").replace(/^"(.*)"$/, "$1");
  return {
    provider: "bedrock",
    bucket: name.bucket,
    key: name.key,
    etag,
    sizeBytes: Number(headers["content-length"] ?? "0"),
    modifiedAt: new Date(headers["last-modified"] ?? 0),
    headers: objectHeaders(headers),
    open: (range) => open(call, storage, name, { etag, range }),
  };
}

async function open(
  call: CallContext,
  storage: ObjectStorage,
  name: SourceName,
  { etag, range }: { etag: string; range: ByteRange | null },
): Promise<ByteStream> {
  // Only what was described may be copied.
  const headers: Record<string, string> = etag === ""
    ? {}
    : { "if-match": `"${etag}"` };
  if (range !== null && range.lengthBytes > 0) {
    const lastByte = range.offsetBytes + range.lengthBytes - 1;
    headers.range = `bytes=${range.offsetBytes}-${lastByte}`;
  }
  const got = await storage.forward(call, requestFor("GET", name, headers));
  const expected = headers.range === undefined ? 200 : 206;
  if (got.status === expected && got.body !== null) return got.body;
  await got.body?.cancel();
  throw refusal(got.status, name);
}

function requestFor(
  method: "GET" | "HEAD",
  { bucket, key, versionId }: SourceName,
  headers: Readonly<Record<string, string>>,
): ObjectRequest {
  return {
    method,
    bucket,
    rawKey: encodeKey(key),
    query: versionId === null ? [] : [["versionId", versionId]],
    headers,
    body: null,
  };
}

/** As clients write keys in paths: everything but letters and `-_.~/`. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll("%2F", "/").replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const METADATA_PREFIX = "x-amz-meta-";

function objectHeaders(headers: ObjectResponse["headers"]): ObjectHeaders {
  const metadata = Object.entries(headers)
    .filter(([name]) => name.startsWith(METADATA_PREFIX))
    .map(([name, value]) => [name.slice(METADATA_PREFIX.length), value]);
  return {
    contentType: headers["content-type"] ?? null,
    contentEncoding: headers["content-encoding"] ?? null,
    contentDisposition: headers["content-disposition"] ?? null,
    contentLanguage: headers["content-language"] ?? null,
    cacheControl: headers["cache-control"] ?? null,
    expires: headers.expires ?? null,
    metadata: Object.fromEntries(metadata),
    checksums: {},
  };
}

/** HEAD answers have no body, so the status is all there is to go by. */
function refusal(status: number, { bucket, key }: SourceName): GatewayError {
  return new GatewayError(
    failureFor(status, key),
    `S3 answered with HTTP status ${status} when s3://${bucket}/${key} was to ` +
      "be copied.",
  );
}

function failureFor(status: number, key: string): Failure {
  switch (status) {
    case 400:
    case 405:
      return { kind: "invalid_request" };
    case 403:
      return { kind: "access_denied" };
    case 404:
      return { kind: "no_such_key", key };
    case 412:
      return { kind: "precondition_failed", condition: "x-amz-copy-source" };
    case 503:
      return { kind: "rate_limited" };
    default:
      return { kind: "upstream_failed", status };
  }
}
