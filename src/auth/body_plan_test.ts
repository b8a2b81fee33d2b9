import { assertEquals, assertThrows } from "@std/assert";
import { type FailureKind, GatewayError } from "../domain/failure.ts";
import {
  BYTES_MAX,
  CRC32,
  DECODED,
  digestOf,
  openBody,
  PLAIN,
  readAll,
  SIGNED,
  TEXT,
  TRAILER_FORM,
} from "./testing/framed_body.ts";
import { openVerifiedBody } from "./verified_body.ts";

for (
  const { name, kind, headers } of [
    { name: "no length", kind: "missing_content_length", headers: {} },
    {
      name: "chunks without a decoded length",
      kind: "missing_content_length",
      headers: {
        "content-length": "9",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      },
    },
    {
      name: "a length that is no number",
      kind: "invalid_argument",
      headers: { "content-length": "1e3" },
    },
    {
      name: "a negative decoded length",
      kind: "invalid_argument",
      headers: { ...SIGNED, "x-amz-decoded-content-length": "-1" },
    },
    {
      name: "a length over the bound",
      kind: "entity_too_large",
      headers: { "content-length": String(BYTES_MAX + 1) },
    },
    {
      name: "a decoded length over the bound",
      kind: "entity_too_large",
      headers: {
        ...SIGNED,
        "x-amz-decoded-content-length": String(BYTES_MAX + 1),
      },
    },
    {
      name: "a Content-MD5 of the wrong size",
      kind: "invalid_digest",
      headers: { ...PLAIN, "content-md5": "YWJyYWNhZGFicmE=" },
    },
    {
      name: "an empty Content-MD5",
      kind: "invalid_digest",
      headers: { ...PLAIN, "content-md5": "" },
    },
    {
      name: "a checksum that is no base64",
      kind: "invalid_digest",
      headers: { ...PLAIN, "x-amz-checksum-crc32": "!!!!!!==" },
    },
    {
      name: "a checksum of the wrong size",
      kind: "invalid_digest",
      headers: { ...PLAIN, "x-amz-checksum-crc64nvme": CRC32 },
    },
    {
      name: "a checksum of checksums",
      kind: "invalid_digest",
      headers: { ...PLAIN, "x-amz-checksum-crc32": `${CRC32}-2` },
    },
    {
      name: "two checksums",
      kind: "invalid_request",
      headers: {
        ...PLAIN,
        "x-amz-checksum-crc32": CRC32,
        "x-amz-checksum-sha1": digestOf("sha1", TEXT),
      },
    },
    {
      name: "a checksum in a header and in a trailer",
      kind: "invalid_request",
      headers: { ...TRAILER_FORM, "x-amz-checksum-crc32": CRC32 },
    },
    {
      name: "a checksum of an unknown algorithm",
      kind: "invalid_request",
      headers: { ...PLAIN, "x-amz-checksum-crc16": "AAA=" },
    },
    {
      name: "an SDK algorithm whose checksum is missing",
      kind: "invalid_request",
      headers: { ...PLAIN, "x-amz-sdk-checksum-algorithm": "CRC32" },
    },
    {
      name: "an SDK algorithm other than the checksum's",
      kind: "invalid_request",
      headers: {
        ...PLAIN,
        "x-amz-sdk-checksum-algorithm": "SHA1",
        "x-amz-checksum-crc32": CRC32,
      },
    },
    {
      name: "a checksum of the XXHASH family",
      kind: "unsupported",
      headers: { ...PLAIN, "x-amz-checksum-xxhash64": "AAAAAAAAAAA=" },
    },
    {
      name: "a trailer of the XXHASH family",
      kind: "unsupported",
      headers: { ...TRAILER_FORM, "x-amz-trailer": "x-amz-checksum-xxhash3" },
    },
    {
      name: "a trailer that is no checksum",
      kind: "invalid_request",
      headers: { ...TRAILER_FORM, "x-amz-trailer": "x-amz-meta-a" },
    },
    {
      name: "two trailers",
      kind: "invalid_request",
      headers: {
        ...TRAILER_FORM,
        "x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1",
      },
    },
    {
      name: "a trailer on a plain body",
      kind: "invalid_request",
      headers: { ...PLAIN, "x-amz-trailer": "x-amz-checksum-crc32" },
    },
    {
      name: "a trailer on chunks that have none",
      kind: "invalid_request",
      headers: { ...SIGNED, "x-amz-trailer": "x-amz-checksum-crc32" },
    },
    {
      name: "an x-amz-content-sha256 that is no hash",
      kind: "invalid_argument",
      headers: { ...PLAIN, "x-amz-content-sha256": "abc" },
    },
    {
      name: "another streaming form",
      kind: "unsupported",
      headers: {
        ...DECODED,
        "x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
      },
    },
  ] satisfies {
    name: string;
    kind: FailureKind;
    headers: Record<string, string>;
  }[]
) {
  Deno.test(`openVerifiedBody() answers ${kind} to ${name} at once`, () => {
    const error = assertThrows(
      () =>
        openVerifiedBody({
          headers: new Headers(headers as Record<string, string>),
          body: null,
          chunkSigner: null,
          bytesMax: BYTES_MAX,
        }),
      GatewayError,
    );
    assertEquals(error.failure.kind, kind);
  });
}

for (
  const { given, want } of [
    { given: "aws-chunked", want: null },
    { given: "gzip,aws-chunked", want: "gzip" },
    { given: "AWS-Chunked, gzip", want: "gzip" },
    { given: "deflate, gzip", want: "deflate, gzip" },
    { given: "aws-chunked, aws-chunked", want: null },
  ]
) {
  Deno.test(`openVerifiedBody() keeps ${want} of the encoding "${given}"`, async () => {
    const headers = { "content-length": "0", "content-encoding": given };
    const body = openBody({ headers, body: "" }, []);
    assertEquals(body.contentEncoding, want);
    assertEquals(await readAll(body), "");
  });
}
