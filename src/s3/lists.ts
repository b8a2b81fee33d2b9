import type { ObjectInfo } from "../domain/object.ts";
import { documentAnswer, type S3Answer } from "./answer.ts";
import type { BucketCall, Parameters } from "./call.ts";
import { quoteEtag } from "./etag.ts";
import type { FileExchange } from "./file_exchange.ts";
import {
  decodeToken,
  encodeToken,
  type ListingPage,
  type ListingRequest,
  PAGE_ENTRIES_MAX,
  readPage,
} from "./listing.ts";
import {
  encodeKey,
  type KeyEncoding,
  readEntriesMax,
  readKeyEncoding,
} from "./parameter.ts";
import { branch, leaf, type XmlElement } from "./xml.ts";

/** ListObjects, version 1: `marker` is itself a key or a common prefix. */
export async function listObjects(
  exchange: FileExchange,
  call: BucketCall,
): Promise<S3Answer> {
  const { parameters } = call;
  const marker = parameters.get("marker") ?? "";
  const request = readListingRequest(parameters, marker);
  const encoding = readKeyEncoding(parameters);
  const page = await readFilePage(exchange, call.bucket, request);
  // S3 gives NextMarker only where a client could not take the last key.
  const next = request.delimiter === "" ? null : page.next;
  return documentAnswer(branch("ListBucketResult", [
    leaf("Name", call.bucket),
    leaf("Prefix", encodeKey(request.prefix, encoding)),
    leaf("Marker", encodeKey(marker, encoding)),
    next === null ? null : leaf("NextMarker", encodeKey(next, encoding)),
    ...commonElements(request, page, encoding),
    ...entryElements(page, encoding, ownerElement(exchange)),
  ]));
}

/** ListObjectsV2: pages are joined by opaque tokens. */
export async function listObjectsV2(
  exchange: FileExchange,
  call: BucketCall,
): Promise<S3Answer> {
  const { parameters } = call;
  const token = parameters.get("continuation-token");
  const startAfter = parameters.get("start-after") ?? "";
  const after = token === undefined ? startAfter : decodeToken(token);
  const request = readListingRequest(parameters, after);
  const encoding = readKeyEncoding(parameters);
  const page = await readFilePage(exchange, call.bucket, request);
  const owner = parameters.get("fetch-owner") === "true"
    ? ownerElement(exchange)
    : null;
  return documentAnswer(branch("ListBucketResult", [
    leaf("Name", call.bucket),
    leaf("Prefix", encodeKey(request.prefix, encoding)),
    token === undefined ? null : leaf("ContinuationToken", token),
    page.next === null
      ? null
      : leaf("NextContinuationToken", encodeToken(page.next)),
    startAfter === ""
      ? null
      : leaf("StartAfter", encodeKey(startAfter, encoding)),
    leaf("KeyCount", page.objects.length + page.commonPrefixes.length),
    ...commonElements(request, page, encoding),
    ...entryElements(page, encoding, owner),
  ]));
}

function readListingRequest(
  parameters: Parameters,
  after: string,
): ListingRequest {
  return {
    prefix: parameters.get("prefix") ?? "",
    delimiter: parameters.get("delimiter") ?? "",
    after,
    entriesMax: readEntriesMax(parameters, "max-keys", PAGE_ENTRIES_MAX),
  };
}

async function readFilePage(
  exchange: FileExchange,
  bucket: string,
  request: ListingRequest,
): Promise<ListingPage> {
  const { context, files, provider } = exchange;
  const { prefix, after } = request;
  const objects = files.list(context, provider, { bucket, prefix, after });
  return await readPage(objects, request);
}

function commonElements(
  request: ListingRequest,
  page: ListingPage,
  encoding: KeyEncoding,
): (XmlElement | null)[] {
  const { delimiter, entriesMax } = request;
  return [
    leaf("MaxKeys", entriesMax),
    delimiter === "" ? null : leaf("Delimiter", encodeKey(delimiter, encoding)),
    encoding === "none" ? null : leaf("EncodingType", encoding),
    leaf("IsTruncated", String(page.next !== null)),
  ];
}

function entryElements(
  page: ListingPage,
  encoding: KeyEncoding,
  owner: XmlElement | null,
): XmlElement[] {
  return [
    ...page.objects.map((object) => contents(object, encoding, owner)),
    ...page.commonPrefixes.map((prefix) =>
      branch("CommonPrefixes", [leaf("Prefix", encodeKey(prefix, encoding))])
    ),
  ];
}

function contents(
  object: ObjectInfo,
  encoding: KeyEncoding,
  owner: XmlElement | null,
): XmlElement {
  return branch("Contents", [
    leaf("Key", encodeKey(object.key, encoding)),
    leaf("LastModified", object.modifiedAt.toISOString()),
    leaf("ETag", quoteEtag(object.etag)),
    leaf("Size", object.sizeBytes),
    owner,
    leaf("StorageClass", "STANDARD"),
  ]);
}

/** Whose the listed objects are, as far as S3's form can say it. */
export function ownerElement(exchange: FileExchange): XmlElement {
  const { tenant } = exchange.context.principal;
  return branch("Owner", [leaf("ID", tenant), leaf("DisplayName", tenant)]);
}
