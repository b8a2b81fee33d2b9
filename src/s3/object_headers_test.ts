import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectInfo } from "../domain/object.ts";
import {
  checksumHeaders,
  objectAnswerHeaders,
  parseObjectHeaders,
  refuseUnsupportedHeaders,
} from "./object_headers.ts";
import { NO_HEADERS } from "./testing/memory_files.ts";

const NO_BODY_HEADERS = { contentEncoding: null, checksums: {} };

const OBJECT: ObjectInfo = {
  bucket: "b",
  key: "k",
  etag: "file-1",
  sizeBytes: 3,
  modifiedAt: new Date("2026-01-02T03:04:05.678Z"),
  source: { kind: "kept_file", fileId: "file-1" },
  headers: NO_HEADERS,
};

Deno.test("parseObjectHeaders() keeps what S3 keeps", () => {
  const given = new Headers({
    "content-type": "application/jsonl",
    "content-disposition": "inline",
    "content-language": "de",
    "cache-control": "no-cache",
    "expires": "never",
    "x-amz-meta-One": "1",
    "x-amz-meta-__proto__": "p",
    "x-amz-date": "d",
  });
  const parsed = parseObjectHeaders(given, {
    contentEncoding: "gzip",
    checksums: { crc32: "c" },
  });
  assertEquals(Object.entries(parsed.metadata), [["__proto__", "p"], [
    "one",
    "1",
  ]]);
  assertEquals({ ...parsed, metadata: {} }, {
    contentType: "application/jsonl",
    contentEncoding: "gzip",
    contentDisposition: "inline",
    contentLanguage: "de",
    cacheControl: "no-cache",
    expires: "never",
    metadata: {},
    checksums: { crc32: "c" },
  });
});

Deno.test("parseObjectHeaders() takes 2 KiB of user metadata and no more", () => {
  const fits = new Headers({ "x-amz-meta-a": "v".repeat(2047) });
  parseObjectHeaders(fits, NO_BODY_HEADERS);
  const over = new Headers({ "x-amz-meta-a": "v".repeat(2048) });
  const error = assertThrows(
    () => parseObjectHeaders(over, NO_BODY_HEADERS),
    GatewayError,
  );
  assertEquals(error.failure.kind, "metadata_too_large");
});

Deno.test("parseObjectHeaders() bounds the other headers", () => {
  const over = new Headers({ "content-disposition": "v".repeat(9000) });
  const error = assertThrows(
    () => parseObjectHeaders(over, NO_BODY_HEADERS),
    GatewayError,
  );
  assertEquals(error.failure.kind, "invalid_request");
});

Deno.test("objectAnswerHeaders() gives S3's defaults", () => {
  assertEquals(objectAnswerHeaders(OBJECT, new Map()), {
    "accept-ranges": "bytes",
    "content-type": "binary/octet-stream",
    "etag": '"file-1"',
    "last-modified": "Fri, 02 Jan 2026 03:04:05 GMT",
  });
});

Deno.test("objectAnswerHeaders() lets response-* parameters win", () => {
  const stored = { ...NO_HEADERS, contentType: "text/plain", expires: "never" };
  const got = objectAnswerHeaders(
    { ...OBJECT, headers: stored },
    new Map([
      ["response-content-type", "application/json"],
      ["response-content-disposition", 'attachment; filename="ü.jsonl"'],
    ]),
  );
  assertEquals(got["content-type"], "application/json");
  assertEquals(
    got["content-disposition"],
    'attachment; filename="\u00c3\u00bc.jsonl"',
  );
  assertEquals(got["expires"], "never");
});

Deno.test("objectAnswerHeaders() gives stored bytes back as they came", () => {
  const utf8 = "\u00c3\u00bc";
  const stored = { ...NO_HEADERS, metadata: { city: utf8 } };
  const got = objectAnswerHeaders({ ...OBJECT, headers: stored }, new Map());
  assertEquals(got["x-amz-meta-city"], utf8);
});

Deno.test("objectAnswerHeaders() refuses a header smuggled in a parameter", () => {
  const smuggled = new Map([["response-content-type", "a\r\nset-cookie: b"]]);
  const error = assertThrows(
    () => objectAnswerHeaders(OBJECT, smuggled),
    GatewayError,
  );
  assertEquals(error.failure.kind, "invalid_argument");
});

Deno.test("checksumHeaders() names the type only beside a checksum", () => {
  assertEquals(checksumHeaders({}), {});
  assertEquals(checksumHeaders({ crc32: "c" }), {
    "x-amz-checksum-crc32": "c",
    "x-amz-checksum-type": "FULL_OBJECT",
  });
});

for (
  const { name, value, want } of [
    { name: "x-amz-acl", value: "private", want: "takes" },
    { name: "x-amz-acl", value: "public-read", want: "refuses" },
    { name: "x-amz-grant-read", value: "id=1", want: "refuses" },
    { name: "x-amz-storage-class", value: "STANDARD", want: "takes" },
    { name: "x-amz-storage-class", value: "GLACIER", want: "refuses" },
    { name: "x-amz-tagging", value: "", want: "takes" },
    { name: "x-amz-tagging", value: "a=b", want: "refuses" },
    { name: "x-amz-server-side-encryption", value: "AES256", want: "takes" },
    { name: "x-amz-server-side-encryption", value: "aws:kms", want: "refuses" },
    {
      name: "x-amz-server-side-encryption-customer-algorithm",
      value: "AES256",
      want: "refuses",
    },
    { name: "x-amz-write-offset-bytes", value: "0", want: "refuses" },
    { name: "x-amz-object-lock-mode", value: "GOVERNANCE", want: "refuses" },
    {
      name: "x-amz-bucket-object-lock-enabled",
      value: "true",
      want: "refuses",
    },
    { name: "x-amz-bucket-object-lock-enabled", value: "false", want: "takes" },
    { name: "x-amz-website-redirect-location", value: "/x", want: "refuses" },
    { name: "x-amz-expected-bucket-owner", value: "1", want: "takes" },
    { name: "x-amz-request-payer", value: "requester", want: "takes" },
    { name: "x-amz-meta-tagging", value: "a=b", want: "takes" },
  ]
) {
  Deno.test(`refuseUnsupportedHeaders() ${want} ${name}: ${value}`, () => {
    const check = () =>
      refuseUnsupportedHeaders(new Headers({ [name]: value }));
    if (want === "takes") return check();
    const error = assertThrows(check, GatewayError, name);
    assertEquals(error.failure.kind, "unsupported");
  });
}
