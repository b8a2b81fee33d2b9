import { assertEquals, assertRejects } from "@std/assert";
import type { DriverCall } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { type BedrockDriver, createBedrockDriver } from "./driver.ts";

const ADDRESS = { bucket: "bucket", key: "in/a b.jsonl" };

function objectTest(
  name: string,
  answer: (request: Request, index: number) => Response,
  check: (
    storage: BedrockDriver["storage"],
    targets: readonly string[],
  ) => Promise<void>,
): void {
  Deno.test({
    name: `Bedrock objects: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const targets: string[] = [];
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        (request) => {
          const origin = new URL(request.url).origin;
          targets.push(request.url.slice(origin.length));
          return answer(request, targets.length - 1);
        },
      );
      const driver = createBedrockDriver({
        region: "us-west-2",
        s3Endpoint: `http://127.0.0.1:${server.addr.port}`,
        bedrockEndpoint: null,
        batchRoleArn: null,
        credentials: { accessKeyId: "AKIDGATEWAY", secretAccessKey: "secret" },
      });
      try {
        await check(driver.storage, targets);
      } finally {
        driver.close();
      }
    },
  });
}

objectTest(
  "listObjects() goes through all pages and decodes keys",
  (_request, index) =>
    xml(
      "<ListBucketResult><EncodingType>url</EncodingType>" +
        `<IsTruncated>${index === 0}</IsTruncated>` +
        "<NextContinuationToken>t+/=</NextContinuationToken>" +
        `<Contents><Key>in/${
          index === 0 ? "a+b%2Bc%26%3C%01" : "%C3%BC"
        }</Key><Size>${index + 7}</Size></Contents></ListBucketResult>`,
    ),
  async (storage, targets) => {
    const prefix = { bucket: "bucket", key: "in/" };
    assertEquals(
      await Array.fromAsync(storage.listObjects(newCall(), prefix)),
      [
        { key: "in/a b+c&<\x01", sizeBytes: 7 },
        { key: "in/ü", sizeBytes: 8 },
      ],
    );
    assertEquals(targets.map((target) => target.includes("t%2B%2F%3D")), [
      false,
      true,
    ]);
  },
);

objectTest(
  "listObjects() takes keys as they are from servers that do not encode",
  () =>
    xml(
      "<ListBucketResult><Contents><Key>a+b%2Bc&amp;</Key><Size>1</Size>" +
        "</Contents></ListBucketResult>",
    ),
  async (storage) => {
    const prefix = { bucket: "bucket", key: "" };
    assertEquals(
      await Array.fromAsync(storage.listObjects(newCall(), prefix)),
      [{ key: "a+b%2Bc&", sizeBytes: 1 }],
    );
  },
);

objectTest(
  "headObject() says size and ETag, without its quotes",
  () =>
    new Response(null, { headers: { "content-length": "12", etag: '"e-2"' } }),
  async (storage, targets) => {
    assertEquals(await storage.headObject(newCall(), ADDRESS), {
      sizeBytes: 12,
      etag: "e-2",
    });
    assertEquals(targets, ["/bucket/in/a%20b.jsonl"]);
  },
);

objectTest(
  "openObject() asks for the range, and for nothing where that is empty",
  (request) => new Response(request.headers.get("range"), { status: 206 }),
  async (storage, targets) => {
    const open = async (offsetBytes: number, lengthBytes: number) => {
      const range = { offsetBytes, lengthBytes };
      const stream = await storage.openObject(newCall(), ADDRESS, range);
      return await new Response(stream).text();
    };
    assertEquals(await open(5, 10), "bytes=5-14");
    assertEquals(await open(5, 0), "");
    assertEquals(targets.length, 1);
  },
);

for (
  const { code, status, failure } of [
    {
      code: "NoSuchKey",
      status: 404,
      failure: { kind: "no_such_key", key: ADDRESS.key },
    },
    {
      code: "NoSuchBucket",
      status: 404,
      failure: { kind: "no_such_bucket", bucket: "bucket" },
    },
    { code: "AccessDenied", status: 403, failure: { kind: "access_denied" } },
    {
      code: "InvalidObjectState",
      status: 403,
      failure: { kind: "invalid_object_state" },
    },
    { code: "SlowDown", status: 503, failure: { kind: "rate_limited" } },
    {
      code: "SignatureDoesNotMatch",
      status: 403,
      failure: { kind: "access_denied" },
    },
  ]
) {
  objectTest(
    `openObject() tells ${code}`,
    () =>
      xml(`<Error><Code>${code}</Code><Message>M</Message></Error>`, status),
    async (storage) => {
      const error = await assertRejects(
        () => storage.openObject(newCall(), ADDRESS),
        GatewayError,
      );
      assertEquals<unknown>(error.failure, failure);
    },
  );
}

for (
  const { status, kind } of [
    { status: 404, kind: "no_such_key" },
    { status: 403, kind: "access_denied" },
    { status: 500, kind: "upstream_failed" },
  ]
) {
  objectTest(
    `headObject() judges ${status} by the status alone`,
    () => new Response(null, { status }),
    async (storage) => {
      const error = await assertRejects(
        () => storage.headObject(newCall(), ADDRESS),
        GatewayError,
      );
      assertEquals(error.failure.kind, kind);
    },
  );
}

function newCall(): DriverCall {
  return { requestId: "r", signal: new AbortController().signal };
}

function xml(text: string, status = 200): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`, {
    status,
    headers: { "content-type": "application/xml" },
  });
}
