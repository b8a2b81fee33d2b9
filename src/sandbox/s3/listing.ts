import { Buffer } from "node:buffer";
import type { Bucket, StoredObject } from "./bucket.ts";
import type { S3Call } from "./call.ts";
import { S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import { compareKeys } from "./key_order.ts";
import { quoted } from "./object_headers.ts";
import { readCount } from "./parameter.ts";
import { element, type Markup, xmlDocument, xmlResponse } from "./xml.ts";

const PAGE_MAX = 1000;

/** One line of a listing: an object, or keys rolled up to a common prefix. */
type Entry =
  | { readonly kind: "object"; readonly object: StoredObject }
  | { readonly kind: "prefix"; readonly prefix: string };

interface Page {
  readonly entries: readonly Entry[];
  readonly isTruncated: boolean;
  /** The key or prefix of the last entry, "" for an empty page. */
  readonly last: string;
}

interface PageQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** Entries at or before this are left out. */
  readonly after: string;
  readonly countMax: number;
}

/** See ListObjectsV2 in the S3 API Reference. */
export function listObjectsV2(call: S3Call, folder: S3Folder): Response {
  const { query } = call;
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after") ?? "";
  const after = token === undefined ? startAfter : readToken(token);
  const { page, encode, common } = list(call, folder, after);
  const body = [
    ...common,
    element("KeyCount", page.entries.length),
    element("IsTruncated", String(page.isTruncated)),
  ];
  if (token !== undefined) body.push(element("ContinuationToken", token));
  if (page.isTruncated) {
    body.push(element("NextContinuationToken", writeToken(page.last)));
  }
  if (startAfter !== "") body.push(element("StartAfter", encode(startAfter)));
  const owner = query.get("fetch-owner") === "true" ? "shown" : "hidden";
  body.push(...page.entries.map((entry) => render(entry, encode, owner)));
  return xmlResponse(xmlDocument("ListBucketResult", body));
}

/** See ListObjects in the S3 API Reference. */
export function listObjects(call: S3Call, folder: S3Folder): Response {
  const marker = call.query.get("marker") ?? "";
  const { page, encode, common } = list(call, folder, marker);
  const body = [
    ...common,
    element("Marker", encode(marker)),
    element("IsTruncated", String(page.isTruncated)),
  ];
  // Without a delimiter the caller goes on from the last key itself.
  if (page.isTruncated && call.query.has("delimiter")) {
    body.push(element("NextMarker", encode(page.last)));
  }
  body.push(...page.entries.map((entry) => render(entry, encode, "shown")));
  return xmlResponse(xmlDocument("ListBucketResult", body));
}

/**
 * `encoding-type=url` as S3 does it: form encoding, where a space is `+`, with
 * slashes left alone.
 */
export function readEncoding(
  query: ReadonlyMap<string, string>,
): (text: string) => string {
  const encoding = query.get("encoding-type");
  if (encoding === undefined) return (text) => text;
  if (encoding !== "url") {
    throw new S3Failure(
      "InvalidArgument",
      "Invalid Encoding Method specified in Request",
      { details: { ArgumentName: "encoding-type", ArgumentValue: encoding } },
    );
  }
  return formEncode;
}

function formEncode(text: string): string {
  return encodeURIComponent(text)
    .replace(
      /[!'()~]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    )
    .replaceAll("%20", "+")
    .replaceAll("%2F", "/");
}

function list(
  call: S3Call,
  folder: S3Folder,
  after: string,
): { page: Page; encode: (text: string) => string; common: Markup[] } {
  const { query } = call;
  const bucket = folder.bucket(call.bucket);
  const encode = readEncoding(query);
  const pageQuery = {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    after,
    countMax: readCount(query, "max-keys", PAGE_MAX),
  };
  const common = [
    element("Name", bucket.name),
    element("Prefix", encode(pageQuery.prefix)),
    element("MaxKeys", pageQuery.countMax),
  ];
  if (pageQuery.delimiter !== "") {
    common.push(element("Delimiter", encode(pageQuery.delimiter)));
  }
  if (query.has("encoding-type")) common.push(element("EncodingType", "url"));
  return { page: readPage(bucket, pageQuery), encode, common };
}

function readPage(bucket: Bucket, query: PageQuery): Page {
  const entries: Entry[] = [];
  let last = "";
  if (query.countMax === 0) return { entries, isTruncated: false, last };
  for (const entry of walk(bucket, query)) {
    if (entries.length === query.countMax) {
      return { entries, isTruncated: true, last };
    }
    entries.push(entry);
    last = entry.kind === "object" ? entry.object.key : entry.prefix;
  }
  return { entries, isTruncated: false, last };
}

function* walk(bucket: Bucket, query: PageQuery): Generator<Entry> {
  const { prefix, delimiter, after } = query;
  const from = compareKeys(after, prefix) > 0 ? after : prefix;
  let index = bucket.keys.indexFrom(from);
  for (;;) {
    const key = bucket.keys.at(index);
    if (key === undefined || !key.startsWith(prefix)) return;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    if (cut >= 0) {
      const rolledUp = key.slice(0, cut + delimiter.length);
      if (compareKeys(rolledUp, after) > 0) {
        yield { kind: "prefix", prefix: rolledUp };
      }
      index = indexBehindPrefix(bucket, rolledUp, index);
      continue;
    }
    const object = bucket.find(key);
    if (key !== after && object !== null) yield { kind: "object", object };
    index += 1;
  }
}

/** Halves its way over the keys that one common prefix stands for. */
function indexBehindPrefix(
  bucket: Bucket,
  prefix: string,
  from: number,
): number {
  let low = from;
  let high = bucket.keys.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bucket.keys.at(middle)?.startsWith(prefix)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function render(
  entry: Entry,
  encode: (text: string) => string,
  owner: "shown" | "hidden",
): Markup {
  if (entry.kind === "prefix") {
    return element("CommonPrefixes", [element("Prefix", encode(entry.prefix))]);
  }
  const { object } = entry;
  const content = [
    element("Key", encode(object.key)),
    element("LastModified", new Date(object.modifiedAtMs).toISOString()),
    element("ETag", quoted(object.etag)),
    element("Size", object.sizeBytes),
  ];
  if (object.checksum !== null) {
    const { algorithm, type } = object.checksum;
    content.push(element("ChecksumAlgorithm", algorithm.toUpperCase()));
    content.push(element("ChecksumType", type));
  }
  if (owner === "shown") {
    content.push(element("Owner", [element("ID", "sandbox")]));
  }
  const storageClass = object.headers["x-amz-storage-class"] ?? "STANDARD";
  content.push(element("StorageClass", storageClass));
  return element("Contents", content);
}

function writeToken(last: string): string {
  return Buffer.from(`1${last}`).toString("base64url");
}

/** @throws {S3Failure} `InvalidArgument` for a token that was never issued. */
function readToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (text.startsWith("1") && writeToken(text.slice(1)) === token) {
    return text.slice(1);
  }
  throw new S3Failure(
    "InvalidArgument",
    "The continuation token provided is incorrect",
    { details: { ArgumentName: "continuation-token" } },
  );
}
