import { GatewayError } from "../domain/failure.ts";
import type { ObjectHeaders, ObjectInfo } from "../domain/object.ts";
import { quoteEtag } from "./etag.ts";
import type { Parameters } from "./call.ts";
import { withoutChunkFraming } from "./forwarding.ts";
import { setHeader, toByteString } from "./query_headers.ts";

/** S3's limits: names and values of user metadata, and all headers of a PUT. */
const METADATA_BYTES_MAX = 2 * 1024;
const HEADERS_BYTES_MAX = 8 * 1024;

const METADATA_PREFIX = "x-amz-meta-";
const CHECKSUM_PREFIX = "x-amz-checksum-";

/** S3's answer where PutObject named no type. */
const DEFAULT_CONTENT_TYPE = "binary/octet-stream";

/** What body verification learnt of the headers that belong to the body. */
export interface BodyHeaders {
  readonly contentEncoding: string | null;
  readonly checksums: Readonly<Record<string, string>>;
}

/**
 * What PutObject stores of its headers.
 *
 * @throws {GatewayError} `metadata_too_large`, `invalid_request`.
 */
export function parseObjectHeaders(
  headers: Headers,
  body: BodyHeaders,
): ObjectHeaders {
  const parsed: ObjectHeaders = {
    contentType: headers.get("content-type"),
    contentEncoding: body.contentEncoding,
    contentDisposition: headers.get("content-disposition"),
    contentLanguage: headers.get("content-language"),
    cacheControl: headers.get("cache-control"),
    expires: headers.get("expires"),
    metadata: parseMetadata(headers),
    checksums: body.checksums,
  };
  requireSmallHeaders(parsed);
  return parsed;
}

/** The object's own encoding, where a request has no body to tell of it. */
export function storedEncoding(headers: Headers): string | null {
  const rest = withoutChunkFraming(headers.get("content-encoding") ?? "");
  return rest === "" ? null : rest;
}

function parseMetadata(headers: Headers): Record<string, string> {
  const fields = [...headers]
    .filter(([name]) => name.startsWith(METADATA_PREFIX))
    .map(([name, value]): [string, string] => [
      name.slice(METADATA_PREFIX.length),
      value,
    ]);
  // Header text has one character a byte.
  const sizeBytes = fields.reduce(
    (sum, [field, value]) => sum + field.length + value.length,
    0,
  );
  if (sizeBytes > METADATA_BYTES_MAX) {
    throw new GatewayError(
      { kind: "metadata_too_large", sizeBytes, bytesMax: METADATA_BYTES_MAX },
      "Your metadata headers exceed the maximum allowed metadata size",
    );
  }
  return Object.fromEntries(fields);
}

function requireSmallHeaders(headers: ObjectHeaders): void {
  const system = [
    headers.contentType,
    headers.contentEncoding,
    headers.contentDisposition,
    headers.contentLanguage,
    headers.cacheControl,
    headers.expires,
  ];
  const sizeBytes = system.reduce((sum, text) => sum + (text?.length ?? 0), 0);
  if (sizeBytes <= HEADERS_BYTES_MAX) return;
  throw new GatewayError(
    { kind: "invalid_request" },
    "Your request header and metadata sections exceed the maximum allowed " +
      `size of ${HEADERS_BYTES_MAX} bytes.`,
  );
}

/**
 * Headers by which S3 answers Get and Head, without those that depend on a
 * range. `response-*` parameters take the place of what is stored.
 */
export function objectAnswerHeaders(
  object: ObjectInfo,
  parameters: Parameters,
): Record<string, string> {
  const stored = object.headers;
  const headers = new Headers({
    "accept-ranges": "bytes",
    "etag": quoteEtag(object.etag),
    "last-modified": object.modifiedAt.toUTCString(),
  });
  const system: readonly (readonly [string, string | null])[] = [
    ["content-type", stored.contentType ?? DEFAULT_CONTENT_TYPE],
    ["content-encoding", stored.contentEncoding],
    ["content-disposition", stored.contentDisposition],
    ["content-language", stored.contentLanguage],
    ["cache-control", stored.cacheControl],
    ["expires", stored.expires],
  ];
  for (const [name, value] of system) {
    const override = parameters.get(`response-${name}`);
    const chosen = override === undefined ? value : toByteString(override);
    if (chosen !== null) setHeader(headers, name, chosen);
  }
  for (const [field, value] of Object.entries(stored.metadata)) {
    setHeader(headers, METADATA_PREFIX + field, value);
  }
  return Object.fromEntries(headers);
}

/** `x-amz-checksum-*` of a whole object, and the type S3 gives with them. */
export function checksumHeaders(
  checksums: Readonly<Record<string, string>>,
): Record<string, string> {
  const type = checksumType(checksums);
  if (type === null) return {};
  return {
    ...Object.fromEntries(
      Object.entries(checksums)
        .map(([name, value]) => [CHECKSUM_PREFIX + name, value]),
    ),
    "x-amz-checksum-type": type,
  };
}

/** A composite checksum ends in a dash and its number of parts. */
export function checksumType(
  checksums: Readonly<Record<string, string>>,
): "COMPOSITE" | "FULL_OBJECT" | null {
  const [value] = Object.values(checksums);
  if (value === undefined) return null;
  return value.includes("-") ? "COMPOSITE" : "FULL_OBJECT";
}

/**
 * Headers that ask for something that no file storage of a provider does. To
 * drop them would change what the caller asked for, so they are refused; those
 * that ask for what holds anyway are let through.
 */
const REFUSED_HEADERS: readonly (readonly [name: string, allowed: RegExp])[] = [
  ["x-amz-acl", /^(private|bucket-owner-read|bucket-owner-full-control)$/],
  ["x-amz-storage-class", /^STANDARD$/],
  ["x-amz-server-side-encryption", /^AES256$/],
  ["x-amz-object-lock-legal-hold", /^OFF$/],
  ["x-amz-tagging", /^$/],
];

const REFUSED_PREFIXES: readonly string[] = [
  "x-amz-bucket-object-lock-",
  "x-amz-grant-",
  "x-amz-object-lock-",
  "x-amz-server-side-encryption-",
  "x-amz-website-redirect-location",
  "x-amz-write-offset-bytes",
];

/** Asks for nothing by itself. */
const HARMLESS = /^x-amz-server-side-encryption-bucket-key-enabled$/;

/** @throws {GatewayError} `unsupported`, naming the header. */
export function refuseUnsupportedHeaders(headers: Headers): void {
  for (const [name, value] of headers) {
    if (!name.startsWith("x-amz-") || HARMLESS.test(name)) continue;
    const rule = REFUSED_HEADERS.find(([refused]) => refused === name);
    const refused = rule === undefined
      ? REFUSED_PREFIXES.some((prefix) => name.startsWith(prefix))
      : !rule[1].test(value);
    if (!refused || value.toLowerCase() === "false") continue;
    throw new GatewayError(
      { kind: "unsupported" },
      `The header ${name} asks for something that this provider's file ` +
        "storage does not do.",
    );
  }
}
