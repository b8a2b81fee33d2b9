import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { readExpectedChecksum, readUploadChecksum } from "./upload_checksum.ts";

for (
  const { name, headers, want } of [
    { name: "nothing", headers: {}, want: null },
    {
      name: "CRC32, which is composite unless said otherwise",
      headers: { "x-amz-checksum-algorithm": "CRC32" },
      want: { algorithm: "crc32", type: "COMPOSITE" },
    },
    {
      name: "CRC64NVME, which is of the whole object",
      headers: { "x-amz-checksum-algorithm": "CRC64NVME" },
      want: { algorithm: "crc64nvme", type: "FULL_OBJECT" },
    },
    {
      name: "CRC32C of the whole object",
      headers: {
        "x-amz-checksum-algorithm": "CRC32C",
        "x-amz-checksum-type": "FULL_OBJECT",
      },
      want: { algorithm: "crc32c", type: "FULL_OBJECT" },
    },
  ] as const
) {
  Deno.test(`readUploadChecksum() reads ${name}`, () => {
    assertEquals(readUploadChecksum(new Headers(headers)), want);
  });
}

for (
  const { name, headers } of [
    {
      name: "SHA256 of the whole object",
      headers: {
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-checksum-type": "FULL_OBJECT",
      },
    },
    {
      name: "a composite CRC64NVME",
      headers: {
        "x-amz-checksum-algorithm": "CRC64NVME",
        "x-amz-checksum-type": "COMPOSITE",
      },
    },
    {
      name: "a type without an algorithm",
      headers: { "x-amz-checksum-type": "COMPOSITE" },
    },
    {
      name: "an unknown algorithm",
      headers: { "x-amz-checksum-algorithm": "ROT13" },
    },
    {
      name: "an unknown type",
      headers: {
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-type": "HALF",
      },
    },
  ]
) {
  Deno.test(`readUploadChecksum() refuses ${name}`, () => {
    const given = new Headers(headers as Record<string, string>);
    const error = assertThrows(() => readUploadChecksum(given), GatewayError);
    assertEquals(error.failure.kind, "invalid_request");
  });
}

Deno.test("readExpectedChecksum() takes a composite one with its count", () => {
  const headers = new Headers({
    "x-amz-checksum-crc32": "AAAAAA==-3",
    "x-amz-checksum-type": "COMPOSITE",
  });
  assertEquals(readExpectedChecksum(headers), {
    algorithm: "crc32",
    value: "AAAAAA==-3",
  });
});

for (
  const { name, headers, kind } of [
    {
      name: "a malformed one",
      headers: { "x-amz-checksum-crc32": "AAAA" },
      kind: "invalid_digest",
    },
    {
      name: "two of them",
      headers: {
        "x-amz-checksum-crc32": "AAAAAA==",
        "x-amz-checksum-crc32c": "AAAAAA==",
      },
      kind: "invalid_request",
    },
  ]
) {
  Deno.test(`readExpectedChecksum() refuses ${name}`, () => {
    const given = new Headers(headers as Record<string, string>);
    const error = assertThrows(() => readExpectedChecksum(given), GatewayError);
    assertEquals(error.failure.kind, kind);
  });
}
