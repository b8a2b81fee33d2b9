import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { type FailureKind, GatewayError } from "../domain/failure.ts";
import { createAuthenticator } from "./authenticator.ts";
import type { SignedRequest } from "./signed_request.ts";
import {
  CREDENTIAL,
  S3,
  SIGNED_AT,
  toRequest,
} from "./testing/signing_client.ts";

interface Vector {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  /** Of botocore 1.44.8, and of 1.27.0, which signed the base path as well. */
  readonly signatures: readonly [current: string, old: string];
  readonly headers?: Record<string, string>;
}

/** `generate_presigned_url` with the clock at SIGNED_AT, for an hour. */
const VECTORS: readonly Vector[] = [
  {
    name: "get_object",
    method: "GET",
    path: "/bedrock/files/my-bucket/a.jsonl",
    signatures: [
      "qp4p0PB5DISdxfCf1gX1Lq1rmQU%3D",
      "yLvmHCtKzuXNXA6g8qbFG3SMLR4%3D",
    ],
  },
  {
    name: "get_object of a strange key",
    method: "GET",
    path: "/bedrock/files/my-bucket/../a%20b//%C3%BC%2Bc%252F%281%29/" +
      ".~%2A%27%21.jsonl",
    signatures: [
      "DlG5t8YC0bQ3IHEpXdMB4DhksJk%3D",
      "JktSzo7QfHP4uOr6aYmTv0p3ZSI%3D",
    ],
  },
  {
    name: "get_object with response overrides and a version",
    method: "GET",
    path: "/bedrock/files/my-bucket/k",
    query: "response-content-type=text%2Fplain%3B%20charset%3Dutf-8&" +
      "response-content-disposition=attachment%3B%20filename%3D%22%C3%BC%2B" +
      "b%20c.txt%22&versionId=v%2F1%2B2",
    signatures: [
      "b0w5z7bU2m1oj%2F3KJpATUATWII4%3D",
      "E0VxX%2FN1a1E%2Ftp6ACn8sNO9yHVw%3D",
    ],
  },
  {
    name: "upload_part",
    method: "PUT",
    path: "/bedrock/files/my-bucket/k",
    query: "uploadId=abc%2B%2F%3D&partNumber=3",
    signatures: [
      "8PJMZXDsTK%2BB2RM3SfTbHxK6a24%3D",
      "ltq1kigw%2FN0bUSo%2FgcGfWAhmOx4%3D",
    ],
  },
  {
    name: "put_object with a type, a digest and metadata",
    method: "PUT",
    path: "/bedrock/files/my-bucket/k",
    query: "content-type=application%2Fjsonl&x-amz-meta-b=two%20words&" +
      "x-amz-meta-a-c=1&x-amz-meta-a=2&content-md5=1B2M2Y8AsgTpgAmY7PhCfg%3D" +
      "%3D",
    headers: {
      "content-type": "application/jsonl",
      "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
    },
    signatures: [
      "VQ1C13krz4j7XsXJvi7m6B13zko%3D",
      "fzhhe6QJndWFGH%2Bu%2F5xDF5NEVe0%3D",
    ],
  },
  {
    name: "list_objects_v2",
    method: "GET",
    path: "/bedrock/files/my-bucket",
    query: "list-type=2&prefix=a%20b&encoding-type=url",
    signatures: [
      "RKerb3O9FQSGZ3HI%2BxNKSvzEteY%3D",
      "bmz50f70gaEr985FC8ZrK6MijKU%3D",
    ],
  },
  {
    name: "list_buckets",
    method: "GET",
    path: "/bedrock/files",
    signatures: [
      "BtEe0B6b85YfeX6IqOlF8%2BE5Sac%3D",
      "BtEe0B6b85YfeX6IqOlF8%2BE5Sac%3D",
    ],
  },
  {
    name: "list_multipart_uploads",
    method: "GET",
    path: "/bedrock/files/my-bucket",
    query: "uploads",
    signatures: [
      "tS6IWIyJYdQJFFAK%2BfCVvbbO%2F1s%3D",
      "RPOF6pq87xAZNVjoAHaflaXMavc%3D",
    ],
  },
];

const EXPIRES_AT = new Date(SIGNED_AT.getTime() + 3600 * 1000);

function open(now: Date = SIGNED_AT) {
  return createAuthenticator({
    credentials: [CREDENTIAL],
    anonymous: null,
    now: () => now,
  });
}

function build(vector: Vector, signature: string): SignedRequest {
  const operation = vector.query === undefined ? "" : `${vector.query}&`;
  const query = `${operation}AWSAccessKeyId=AKIDEXAMPLE&` +
    `Signature=${signature}&Expires=1767229200`;
  return toRequest(vector.method, `${vector.path}?${query}`, {
    host: "127.0.0.1:8080",
    ...vector.headers,
  });
}

async function failureOf(
  request: SignedRequest,
  now?: Date,
): Promise<FailureKind> {
  const error = await assertRejects(
    () => open(now).authenticate(request, S3),
    GatewayError,
  );
  return error.failure.kind;
}

for (const vector of VECTORS) {
  const [current, old] = vector.signatures;

  Deno.test(`authenticate() takes boto3's SigV2 URL for ${vector.name}`, async () => {
    assertEquals(
      await open().authenticate(build(vector, current), S3),
      {
        principal: {
          tenant: "acme",
          accessKeyId: "AKIDEXAMPLE",
          admin: false,
          providers: null,
          defaultProvider: null,
          buckets: [],
        },
        region: null,
        chunkSigner: null,
      },
    );
  });

  Deno.test(`authenticate() takes an old boto3's SigV2 URL for ${vector.name}`, async () => {
    const { principal } = await open().authenticate(build(vector, old), S3);
    assertEquals(principal.tenant, "acme");
  });
}

/** What SigV2 leaves unsigned: the plain parameters of a listing. */
const UNSIGNED = /list-type|prefix|encoding-type/;

for (const vector of VECTORS) {
  if (UNSIGNED.test(vector.query ?? "")) continue;

  Deno.test(`authenticate() refuses the SigV2 URL for ${vector.name} with any bit changed`, async () => {
    const { method, target, headers } = build(vector, vector.signatures[0]);
    const text = `${target.rawPath}?${target.rawQuery}`;
    let count = 0;
    for (let i = 1; i < text.length; i++) {
      const code = text.charCodeAt(i) ^ 1;
      const changed = text.slice(0, i) + String.fromCharCode(code) +
        text.slice(i + 1);
      // The headers of these names are signed, their copies in the URL not.
      const start = Math.max(
        text.lastIndexOf("?", i - 1),
        text.lastIndexOf("&", i - 1),
      );
      if (text.startsWith("content-", start + 1)) continue;
      await assertRejects(
        async () => {
          const request = toRequest(method, changed, headers);
          await open().authenticate(request, S3);
        },
        GatewayError,
        undefined,
        changed,
      );
      count++;
    }
    assertGreater(count, 20);
  });
}

for (
  const { name, kind, from, to, now, headers, method } of [
    {
      name: "its last second past",
      kind: "expired_request",
      now: new Date(EXPIRES_AT.getTime() + 1),
    },
    {
      name: "an unknown key",
      kind: "unknown_access_key",
      from: "AKIDEXAMPLE",
      to: "AKIDUNKNOWN",
    },
    {
      name: "a later end",
      kind: "signature_mismatch",
      from: "Expires=1767229200",
      to: "Expires=1767229201",
    },
    {
      name: "no end",
      kind: "access_denied",
      from: "&Expires=1767229200",
      to: "",
    },
    {
      name: "an end that is no number",
      kind: "access_denied",
      from: "Expires=1767229200",
      to: "Expires=tomorrow",
    },
    {
      name: "a signed parameter more",
      kind: "signature_mismatch",
      from: "AWSAccessKeyId",
      to: "acl&AWSAccessKeyId",
    },
    { name: "another method", kind: "signature_mismatch", method: "DELETE" },
    {
      name: "an x-amz- header more",
      kind: "signature_mismatch",
      headers: { "x-amz-meta-more": "1" },
    },
    {
      name: "a content type more",
      kind: "signature_mismatch",
      headers: { "content-type": "text/plain" },
    },
    {
      name: "a session token",
      kind: "invalid_token",
      from: "AWSAccessKeyId",
      to: "x-amz-security-token=t&AWSAccessKeyId",
    },
    {
      name: "a body of signed chunks",
      kind: "invalid_request",
      headers: { "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" },
    },
    {
      name: "an Authorization header beside it",
      kind: "invalid_argument",
      headers: { authorization: "AWS HAHAHA" },
    },
  ] satisfies {
    name: string;
    kind: FailureKind;
    from?: string;
    to?: string;
    now?: Date;
    headers?: Record<string, string>;
    method?: string;
  }[]
) {
  Deno.test(`authenticate() answers ${kind} to a SigV2 URL with ${name}`, async () => {
    const [vector] = VECTORS;
    if (vector === undefined) throw new Error("There are no vectors.");
    const { target } = build(vector, vector.signatures[0]);
    const query = target.rawQuery.replace(from ?? "", to ?? "");
    const request = toRequest(
      method ?? "GET",
      `${target.rawPath}?${query}`,
      headers ?? {},
    );
    assertEquals(await failureOf(request, now ?? SIGNED_AT), kind);
  });
}

Deno.test("authenticate() takes no signature over /bucket/key for a bucket named like the base path", async () => {
  // An old client's signature for `k` in `b` covers the same text as a current
  // one's for `files/b/k` in `bedrock` would.
  const [vector] = VECTORS;
  if (vector === undefined) throw new Error("There are no vectors.");
  const request = build(
    { ...vector, path: `/bedrock/files${vector.path}` },
    vector.signatures[1],
  );
  assertEquals(await failureOf(request), "signature_mismatch");
});
