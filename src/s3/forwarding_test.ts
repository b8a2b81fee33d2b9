import { assertEquals } from "@std/assert";
import { forwardedHeaders, forwardedQuery, FORWARDING } from "./forwarding.ts";

const EVERYTHING = {
  "authorization": "AWS4-HMAC-SHA256 …",
  "host": "gateway",
  "content-length": "1",
  "content-type": "text/plain",
  "content-encoding": "gzip, aws-chunked",
  "content-md5": "m",
  "cache-control": "c",
  "expect": "100-continue",
  "if-match": '"e"',
  "range": "bytes=0-1",
  "user-agent": "u",
  "x-forwarded-for": "1.2.3.4",
  "x-model-provider": "bedrock",
  "x-amz-acl": "private",
  "x-amz-checksum-crc32": "c",
  "x-amz-content-sha256": "h",
  "x-amz-date": "d",
  "x-amz-decoded-content-length": "1",
  "x-amz-meta-a": "v",
  "x-amz-security-token": "t",
  "x-amz-trailer": "x-amz-checksum-crc32",
};

Deno.test("forwardedHeaders() passes a write's own headers and no others", () => {
  const given = new Headers(
    Object.entries(EVERYTHING).map(([name, value]): [string, string] => [
      name,
      value.replace("…", ""),
    ]),
  );
  assertEquals(forwardedHeaders(given, FORWARDING.PutObject), {
    "cache-control": "c",
    "content-encoding": "gzip",
    "content-md5": "m",
    "content-type": "text/plain",
    "if-match": '"e"',
    "x-amz-acl": "private",
    "x-amz-checksum-crc32": "c",
    "x-amz-meta-a": "v",
  });
});

Deno.test("forwardedHeaders() passes a read's conditions and range", () => {
  const given = new Headers({ "range": "bytes=0-1", "content-type": "t" });
  assertEquals(forwardedHeaders(given, FORWARDING.GetObject), {
    range: "bytes=0-1",
  });
});

for (const given of ["aws-chunked", "aws-chunked, AWS-Chunked"]) {
  Deno.test(`forwardedHeaders() leaves no encoding where only ${given} was`, () => {
    const headers = new Headers({ "content-encoding": given });
    assertEquals(forwardedHeaders(headers, FORWARDING.PutObject), {});
  });
}

for (
  const { given, want } of [
    { given: "deflate, gzip", want: "deflate, gzip" },
    { given: "aws-chunked, deflate, gzip", want: "deflate, gzip" },
    { given: "deflate,gzip,aws-chunked", want: "deflate,gzip" },
  ]
) {
  Deno.test(`forwardedHeaders() passes the encoding ${given} as ${want}`, () => {
    const headers = new Headers({ "content-encoding": given });
    assertEquals(forwardedHeaders(headers, FORWARDING.PutObject), {
      "content-encoding": want,
    });
  });
}

for (
  const { given, want } of [
    { given: "md5", want: '"md5"' },
    { given: '"md5"', want: '"md5"' },
    { given: "*", want: "*" },
    { given: 'a, "b",W/"c"', want: '"a", "b", W/"c"' },
  ]
) {
  Deno.test(`forwardedHeaders() passes If-Match ${given} as ${want}`, () => {
    const headers = new Headers({ "if-match": given });
    assertEquals(forwardedHeaders(headers, FORWARDING.HeadObject), {
      "if-match": want,
    });
  });
}

Deno.test("forwardedQuery() passes only what the operation reads", () => {
  const given = new Map([["prefix", "p"], ["versionId", "v"], ["marker", "m"]]);
  assertEquals(forwardedQuery(given, FORWARDING.ListObjects), [
    ["prefix", "p"],
    ["marker", "m"],
  ]);
});
