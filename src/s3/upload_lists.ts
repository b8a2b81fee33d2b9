import type { UploadEntry } from "../domain/uploads/upload.ts";
import { documentAnswer, type S3Answer } from "./answer.ts";
import type { BucketCall } from "./call.ts";
import type { FileExchange } from "./file_exchange.ts";
import { ownerElement } from "./lists.ts";
import { encodeKey, readEntriesMax, readKeyEncoding } from "./parameter.ts";
import { uploadChecksumElements } from "./uploads.ts";
import { branch, leaf, type XmlElement } from "./xml.ts";

const LISTED_UPLOADS_MAX = 1000;

interface UploadListing {
  readonly prefix: string;
  /** "" for none. */
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly uploadsMax: number;
}

/** Where the next page begins. */
interface Marker {
  readonly key: string;
  /** "" behind a common prefix. */
  readonly uploadId: string;
}

interface UploadListPage {
  readonly uploads: readonly UploadEntry[];
  readonly commonPrefixes: readonly string[];
  /** Null at the end. */
  readonly next: Marker | null;
}

/** Pages are joined by a key and, among the uploads of that key, an id. */
export async function listMultipartUploads(
  exchange: FileExchange,
  { bucket, parameters }: BucketCall,
): Promise<S3Answer> {
  const { context, uploads, provider } = exchange;
  const listing: UploadListing = {
    prefix: parameters.get("prefix") ?? "",
    delimiter: parameters.get("delimiter") ?? "",
    keyMarker: parameters.get("key-marker") ?? "",
    uploadIdMarker: parameters.get("upload-id-marker") ?? "",
    uploadsMax: readEntriesMax(parameters, "max-uploads", LISTED_UPLOADS_MAX),
  };
  const encoding = readKeyEncoding(parameters);
  const { prefix, delimiter, keyMarker, uploadIdMarker } = listing;
  const entries = uploads.list(context, provider, {
    bucket,
    prefix,
    afterKey: keyMarker,
    afterUploadId: uploadIdMarker,
  });
  const page = await readUploadPage(entries, listing);
  const owner = ownerElement(exchange);
  return documentAnswer(branch("ListMultipartUploadsResult", [
    leaf("Bucket", bucket),
    leaf("KeyMarker", encodeKey(keyMarker, encoding)),
    leaf("UploadIdMarker", uploadIdMarker),
    ...nextElements(page.next, (key) => encodeKey(key, encoding)),
    leaf("Prefix", encodeKey(prefix, encoding)),
    delimiter === "" ? null : leaf("Delimiter", encodeKey(delimiter, encoding)),
    leaf("MaxUploads", listing.uploadsMax),
    encoding === "none" ? null : leaf("EncodingType", encoding),
    leaf("IsTruncated", String(page.next !== null)),
    ...page.uploads.map((upload) =>
      branch("Upload", [
        leaf("Key", encodeKey(upload.key, encoding)),
        leaf("UploadId", upload.uploadId),
        { ...owner, name: "Initiator" },
        owner,
        leaf("StorageClass", "STANDARD"),
        leaf("Initiated", upload.initiatedAt.toISOString()),
        ...uploadChecksumElements(upload.checksum),
      ])
    ),
    ...page.commonPrefixes.map((group) =>
      branch("CommonPrefixes", [leaf("Prefix", encodeKey(group, encoding))])
    ),
  ]));
}

function nextElements(
  next: Marker | null,
  encode: (key: string) => string,
): XmlElement[] {
  if (next === null) return [];
  return [
    leaf("NextKeyMarker", encode(next.key)),
    leaf("NextUploadIdMarker", next.uploadId),
  ];
}

/** Gathers one page; keys that share a common prefix become one entry. */
async function readUploadPage(
  entries: AsyncIterable<UploadEntry>,
  listing: UploadListing,
): Promise<UploadListPage> {
  const uploads: UploadEntry[] = [];
  const commonPrefixes: string[] = [];
  let last: Marker | null = null;
  if (listing.uploadsMax === 0) return { uploads, commonPrefixes, next: null };
  for await (const entry of entries) {
    const group = commonPrefixOf(entry.key, listing);
    const isKnown = group !== null &&
      (group === commonPrefixes.at(-1) || listing.keyMarker.startsWith(group));
    if (isKnown) continue;
    if (uploads.length + commonPrefixes.length === listing.uploadsMax) {
      return { uploads, commonPrefixes, next: last };
    }
    if (group === null) uploads.push(entry);
    else commonPrefixes.push(group);
    last = group === null
      ? { key: entry.key, uploadId: entry.uploadId }
      : { key: group, uploadId: "" };
  }
  return { uploads, commonPrefixes, next: null };
}

function commonPrefixOf(
  key: string,
  { prefix, delimiter }: UploadListing,
): string | null {
  if (delimiter === "") return null;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? null : key.slice(0, at + delimiter.length);
}
