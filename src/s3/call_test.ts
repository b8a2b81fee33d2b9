import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { parseRequestTarget } from "../http/target.ts";
import { parseS3Call, type S3Call } from "./call.ts";

function parse(
  method: string,
  pathAndQuery: string,
  headers: Record<string, string> = {},
): S3Call {
  const target = parseRequestTarget(`http://host${pathAndQuery}`);
  return parseS3Call(method, target, new Headers(headers));
}

/** The parts that a table row compares. */
function summary(call: S3Call): string {
  const key = call.scope === "object" ? ` key=${JSON.stringify(call.key)}` : "";
  return `${call.operation} ${JSON.stringify(call.bucket)}${key}`;
}

const COPY = { "x-amz-copy-source": "b/k" };

for (
  const { name, method, path, headers, want } of [
    ["root", "GET", "", "ListBuckets null"],
    ["root with a slash", "GET", "/", "ListBuckets null"],
    ["root with x-id", "GET", "/?x-id=ListBuckets", "ListBuckets null"],
    ["a bucket", "GET", "/b", 'ListObjects "b"'],
    ["a bucket with a slash", "GET", "/b/", 'ListObjects "b"'],
    ["list-type 2", "GET", "/b?list-type=2", 'ListObjectsV2 "b"'],
    [
      "list-type 2 after a slash",
      "GET",
      "/b/?list-type=2",
      'ListObjectsV2 "b"',
    ],
    ["another list-type", "GET", "/b?list-type=1", 'ListObjects "b"'],
    ["bucket HEAD", "HEAD", "/b", 'HeadBucket "b"'],
    ["bucket PUT", "PUT", "/b/", 'CreateBucket "b"'],
    ["bucket DELETE", "DELETE", "/b", 'DeleteBucket "b"'],
    ["valueless location", "GET", "/b?location", 'GetBucketLocation "b"'],
    ["location=", "GET", "/b/?location=", 'GetBucketLocation "b"'],
    ["bulk delete", "POST", "/b?delete", 'DeleteObjects "b"'],
    ["bulk delete from JS", "POST", "/b/?delete=", 'DeleteObjects "b"'],
    ["uploads of a bucket", "GET", "/b?uploads", 'ListMultipartUploads "b"'],
    ["object GET", "GET", "/b/k", 'GetObject "b" key="k"'],
    ["object HEAD", "HEAD", "/b/k", 'HeadObject "b" key="k"'],
    ["object PUT", "PUT", "/b/k?x-id=PutObject", 'PutObject "b" key="k"'],
    ["object DELETE", "DELETE", "/b/k", 'DeleteObject "b" key="k"'],
    ["attributes", "GET", "/b/k?attributes", 'GetObjectAttributes "b" key="k"'],
    ["new upload", "POST", "/b/k?uploads", 'CreateMultipartUpload "b" key="k"'],
    [
      "part, either order",
      "PUT",
      "/b/k?partNumber=1&uploadId=u",
      'UploadPart "b" key="k"',
    ],
    [
      "completion",
      "POST",
      "/b/k?uploadId=u",
      'CompleteMultipartUpload "b" key="k"',
    ],
    ["abort", "DELETE", "/b/k?uploadId=u", 'AbortMultipartUpload "b" key="k"'],
    ["parts", "GET", "/b/k?uploadId=u", 'ListParts "b" key="k"'],
    [
      "dot segments in a key",
      "GET",
      "/b/../x//y/./z",
      'GetObject "b" key="../x//y/./z"',
    ],
    ["a slash encoded in a key", "GET", "/b/a%2Fb", 'GetObject "b" key="a/b"'],
    ["a key that is a slash", "GET", "/b//", 'GetObject "b" key="/"'],
    [
      "unicode and a plus",
      "GET",
      "/b/%C3%BC+%2B%20",
      'GetObject "b" key="ü++ "',
    ],
    ["a percent sign in a key", "GET", "/b/100%25", 'GetObject "b" key="100%"'],
    ["a key like a sub-resource", "GET", "/b/acl", 'GetObject "b" key="acl"'],
    [
      "names that S3 ignores",
      "GET",
      "/b/k?foo=bar&baz",
      'GetObject "b" key="k"',
    ],
    ["an empty bucket", "GET", "//k", 'GetObject "" key="k"'],
    ["ACL", "GET", "/b?acl", 'Refused "b"'],
    ["a policy that must not create", "PUT", "/b?policy", 'Refused "b"'],
    ["tagging that must not overwrite", "PUT", "/b/k?tagging", 'Refused "b"'],
    ["a form upload", "POST", "/b", 'Refused "b"'],
    ["POST to a key", "POST", "/b/k", 'Refused "b"'],
    ["OPTIONS", "OPTIONS", "/b/k", 'Refused "b"'],
    ["PUT to the root", "PUT", "/", "Refused null"],
    ["versions", "GET", "/b?versions", 'Refused "b"'],
  ].map(([name, method, path, want]) => ({
    name,
    method: method ?? "",
    path: path ?? "",
    want,
    headers: {},
  })).concat([
    {
      name: "a copy",
      method: "PUT",
      path: "/b/k",
      want: 'CopyObject "b" key="k"',
      headers: COPY,
    },
    {
      name: "a part copied",
      method: "PUT",
      path: "/b/k?uploadId=u&partNumber=1",
      want: 'UploadPartCopy "b" key="k"',
      headers: COPY,
    },
  ])
) {
  Deno.test(`parseS3Call() reads ${name}`, () => {
    const call = parse(method, `/bedrock/files${path}`, headers);
    assertEquals(summary(call), want);
  });
}

Deno.test("parseS3Call() keeps the key as it stood on the wire", () => {
  const call = parse("GET", "/bedrock/files/b/a%2Fb/..%20/%7E");
  assertEquals(call.scope === "object" && call.rawKey, "a%2Fb/..%20/%7E");
});

Deno.test("parseS3Call() keeps only parameters that operations read", () => {
  const call = parse(
    "GET",
    "/bedrock/files/b?list-type=2&prefix=a%20b%2F&X-Amz-Signature=s&x-id=L&foo",
  );
  assertEquals(
    call.scope === "bucket" && [...call.parameters],
    [["list-type", "2"], ["prefix", "a b/"]],
  );
});

for (
  const { name, method, path, want } of [
    {
      name: "unfinished percent-encoding",
      method: "GET",
      path: "/bedrock/files/b/%E0%A4%A",
      want: "invalid_uri",
    },
    {
      name: "bytes that are no UTF-8",
      method: "GET",
      path: "/bedrock/files/b/%FF",
      want: "invalid_uri",
    },
    {
      name: "a path beside the surface",
      method: "GET",
      path: "/bedrock/filesystem/b",
      want: "invalid_uri",
    },
    {
      name: "a parameter given twice",
      method: "GET",
      path: "/bedrock/files/b?prefix=mine&prefix=theirs",
      want: "invalid_argument",
    },
    {
      name: "two sub-resources at once",
      method: "POST",
      path: "/bedrock/files/b/k?uploads&uploadId=u",
      want: "invalid_argument",
    },
    {
      name: "a part without its upload",
      method: "PUT",
      path: "/bedrock/files/b/k?partNumber=1",
      want: "invalid_argument",
    },
    {
      name: "an upload's PUT without a part number",
      method: "PUT",
      path: "/bedrock/files/b/k?uploadId=u",
      want: "invalid_argument",
    },
  ]
) {
  Deno.test(`parseS3Call() refuses ${name}`, () => {
    const error = assertThrows(() => parse(method, path), GatewayError);
    assertEquals(error.failure.kind, want);
  });
}

for (
  const { name, method, path, want } of [
    {
      name: "an unknown sub-resource as not implemented",
      method: "GET",
      path: "/b?versioning",
      want: "unsupported",
    },
    {
      name: "a wrong method as not allowed",
      method: "PATCH",
      path: "/b/k",
      want: "method_not_allowed",
    },
    {
      name: "a method that the sub-resource lacks as not allowed",
      method: "PUT",
      path: "/b?location",
      want: "method_not_allowed",
    },
  ]
) {
  Deno.test(`parseS3Call() marks ${name}`, () => {
    const call = parse(method, `/bedrock/files${path}`);
    assertEquals(call.scope === "refused" && call.failure.kind, want);
  });
}
