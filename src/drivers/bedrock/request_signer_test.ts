import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { assert, assertEquals } from "@std/assert";
import { createS3Client } from "../../aws/clients.ts";
import type { SdkRequest } from "../../aws/request_handler.ts";
import type { ObjectRequest } from "../../domain/driver.ts";
import { RequestSigner } from "./request_signer.ts";

const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
const EMPTY_SHA256 =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

for (
  const { name, endpoint, bucket, rawKey, want } of [
    {
      name: "AWS by host name",
      endpoint: null,
      bucket: "bucket",
      rawKey: "a/../b",
      want: "https://bucket.s3.eu-west-1.amazonaws.com/a/../b",
    },
    {
      name: "AWS by path where the name has dots",
      endpoint: null,
      bucket: "my.bucket",
      rawKey: "a",
      want: "https://s3.eu-west-1.amazonaws.com/my.bucket/a",
    },
    {
      name: "AWS without a bucket",
      endpoint: null,
      bucket: null,
      rawKey: null,
      want: "https://s3.eu-west-1.amazonaws.com/",
    },
    {
      name: "another server by path",
      endpoint: "http://127.0.0.1:9000",
      bucket: "bucket",
      rawKey: "a//b",
      want: "http://127.0.0.1:9000/bucket/a//b",
    },
    {
      name: "another server below a path",
      endpoint: "https://s3.example:8443/base/",
      bucket: "bucket",
      rawKey: null,
      want: "https://s3.example:8443/base/bucket",
    },
  ]
) {
  Deno.test(`RequestSigner addresses ${name}`, async () => {
    const signed = await sign({ bucket, rawKey }, endpoint);
    const port = signed.port === undefined ? "" : `:${signed.port}`;
    const { protocol, hostname, path, headers } = signed;
    assertEquals(`${protocol}//${hostname}${port}${path}`, want);
    assertEquals(headers["host"], new URL(want).host);
  });
}

Deno.test("RequestSigner signs for the bucket's own region", async () => {
  const { headers } = await sign({}, null, "ap-south-1");
  assert(headers["authorization"]?.includes("/ap-south-1/s3/aws4_request"));
});

Deno.test("RequestSigner keeps what only this side may say to itself", async () => {
  const { headers } = await sign({
    headers: {
      "authorization": "AWS4-HMAC-SHA256 Credential=CALLER/...",
      "expect": "100-continue",
      "host": "gateway",
      "content-length": "77",
      "transfer-encoding": "chunked",
      "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "x-amz-decoded-content-length": "70",
      "x-amz-security-token": "CALLER",
      "x-amz-date": "CALLER",
      "x-amz-meta-a": "kept",
    },
  });
  const { authorization, "x-amz-date": _date, ...rest } = headers;
  assert(!authorization?.includes("CALLER"));
  assertEquals(rest, {
    "host": "127.0.0.1:9000",
    "x-amz-content-sha256": EMPTY_SHA256,
    "x-amz-meta-a": "kept",
  });
});

Deno.test("RequestSigner sends header bytes as they came, and signs them as text", async () => {
  // What a client that means "café" sends, one character a byte.
  const bytes = "caf\u00c3\u00a9";
  const signed = await sign({ headers: { "x-amz-meta-a": bytes } });
  assertEquals(signed.headers["x-amz-meta-a"], bytes);
  assertEquals(
    signed.headers["authorization"],
    signatureOf(signed, { ...signed.headers, "x-amz-meta-a": "café" }),
  );
});

Deno.test("RequestSigner signs repeated parameters and odd keys", async () => {
  const signed = await sign({
    rawKey: "a/../b%2Fc (1)",
    query: [["uploads", ""], ["x", "2"], ["x", "1 +"], ["__proto__", "y"]],
  });
  assertEquals(signed.path, "/bucket/a/../b%2Fc%20%281%29");
  assertEquals(Object.entries(signed.query ?? {}), [
    ["uploads", ""],
    ["x", ["2", "1 +"]],
    ["__proto__", "y"],
  ]);
  assertEquals(
    signed.headers["authorization"],
    signatureOf(signed, signed.headers),
  );
});

function sign(
  change: Partial<ObjectRequest>,
  endpoint: string | null = "http://127.0.0.1:9000",
  region = "eu-west-1",
): Promise<SdkRequest> {
  const { client } = createS3Client({
    region: "eu-west-1",
    endpoint,
    credentials: CREDENTIALS,
    attemptsMax: 1,
  });
  const request: ObjectRequest = {
    method: "GET",
    bucket: "bucket",
    rawKey: "key",
    query: [],
    headers: {},
    body: null,
    ...change,
  };
  return new RequestSigner(client, endpoint).sign(request, region, null);
}

/**
 * SigV4 written out from "Create a signed AWS API request" in the IAM User
 * Guide, so that the SDK's signer is not checked against itself.
 */
function signatureOf(
  request: SdkRequest,
  headers: Readonly<Record<string, string>>,
): string {
  const authorization = request.headers["authorization"] ?? "";
  const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1] ?? "";
  const scope = /Credential=[^/]+\/([^,]+)/.exec(authorization)?.[1] ?? "";
  const pairs = Object.entries(request.query ?? {})
    .flatMap(([name, value]) =>
      [value].flat().map((text) => [name, text ?? ""])
    )
    .map((pair) => pair.map(encodeStrictly).join("="))
    .sort();
  const canonical = [
    request.method,
    request.path,
    pairs.join("&"),
    ...names.split(";").map((name) => `${name}:${headers[name]}`),
    "",
    names,
    headers["x-amz-content-sha256"],
  ].join("\n");
  const toSign = [
    "AWS4-HMAC-SHA256",
    headers["x-amz-date"],
    scope,
    createHash("sha256").update(canonical).digest("hex"),
  ].join("\n");
  const key = [...scope.split("/"), toSign].reduce<string | Uint8Array>(
    (secret, text) => createHmac("sha256", secret).update(text).digest(),
    `AWS4${CREDENTIALS.secretAccessKey}`,
  );
  return `AWS4-HMAC-SHA256 Credential=${CREDENTIALS.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names}, Signature=${Buffer.from(key).toString("hex")}`;
}

function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
