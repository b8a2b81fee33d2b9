import { assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { BUCKET, type Fixture, simulatorTest } from "./simulator_fixture.ts";

const BODY = "hello, world";
const SHA256 = createHash("sha256").update(BODY).digest("hex");

function put(
  url: string,
  headers: Record<string, string>,
  body: string = BODY,
): Promise<Response> {
  return fetch(`${url}/${BUCKET}/a`, {
    method: "PUT",
    body,
    headers: {
      authorization: "AWS4-HMAC-SHA256 Credential=sandbox/x",
      "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
      ...headers,
    },
  });
}

function assertNothingStored({ dataDir }: Fixture): void {
  for (const folder of ["objects", "bodies"]) {
    const entries = [...Deno.readDirSync(`${dataDir}/${BUCKET}/${folder}`)];
    assertEquals(entries, []);
  }
}

const MD5 = createHash("md5").update(BODY).digest("base64");
const SHA1 = createHash("sha1").update(BODY).digest("base64");

for (
  const { name, headers } of [
    { name: "Content-MD5", headers: { "content-md5": MD5 } },
    { name: "the payload hash", headers: { "x-amz-content-sha256": SHA256 } },
    { name: "CRC32", headers: { "x-amz-checksum-crc32": "/6tyOg==" } },
    { name: "SHA-1", headers: { "x-amz-checksum-sha1": SHA1 } },
  ] as { name: string; headers: Record<string, string> }[]
) {
  simulatorTest(`a right ${name} is accepted`, async ({ url }) => {
    const response = await put(url, headers);
    assertEquals(await response.text(), "");
    assertEquals(response.status, 200);
    for (const [header, value] of Object.entries(headers)) {
      const isChecksum = header.startsWith("x-amz-checksum-");
      assertEquals(response.headers.get(header), isChecksum ? value : null);
    }
  });
}

for (
  const { name, headers, status, code } of [
    {
      name: "a wrong Content-MD5",
      headers: { "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" },
      status: 400,
      code: "BadDigest",
    },
    {
      name: "a Content-MD5 that is none",
      headers: { "content-md5": "nonsense" },
      status: 400,
      code: "InvalidDigest",
    },
    {
      name: "a wrong payload hash",
      headers: { "x-amz-content-sha256": "0".repeat(64) },
      status: 400,
      code: "XAmzContentSHA256Mismatch",
    },
    {
      name: "a payload hash that is none",
      headers: { "x-amz-content-sha256": "nonsense" },
      status: 400,
      code: "InvalidArgument",
    },
    {
      name: "a wrong CRC32",
      headers: { "x-amz-checksum-crc32": "AAAAAA==" },
      status: 400,
      code: "BadDigest",
    },
    {
      name: "a wrong CRC32C",
      headers: { "x-amz-checksum-crc32c": "AAAAAA==" },
      status: 400,
      code: "BadDigest",
    },
    {
      name: "a SHA-256 of the wrong length",
      headers: { "x-amz-checksum-sha256": "AAAAAA==" },
      status: 400,
      code: "InvalidRequest",
    },
    {
      name: "two checksums",
      headers: {
        "x-amz-checksum-crc32": "AAAAAA==",
        "x-amz-checksum-crc32c": "AAAAAA==",
      },
      status: 400,
      code: "InvalidRequest",
    },
    {
      name: "too much metadata",
      headers: { "x-amz-meta-a": "x".repeat(2048) },
      status: 400,
      code: "MetadataTooLarge",
    },
    {
      name: "no authorization",
      headers: { authorization: "" },
      status: 403,
      code: "AccessDenied",
    },
  ] as {
    name: string;
    headers: Record<string, string>;
    status: number;
    code: string;
  }[]
) {
  simulatorTest(`${name} is ${code} and stores nothing`, async (fixture) => {
    const response = await put(fixture.url, headers);
    assertStringIncludes(await response.text(), `<Code>${code}</Code>`);
    assertEquals(response.status, status);
    assertEquals(response.headers.get("content-type"), "application/xml");
    assertNothingStored(fixture);
  });
}

const STREAMING = {
  "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "x-amz-decoded-content-length": "12",
  "x-amz-trailer": "x-amz-checksum-crc32",
  "content-encoding": "x-own,aws-chunked",
};

simulatorTest("an aws-chunked body is taken apart", async ({ url }) => {
  const body =
    `5\r\nhello\r\n7\r\n, world\r\n0\r\nx-amz-checksum-crc32:/6tyOg==\r\n\r\n`;
  const response = await put(url, STREAMING, body);
  assertEquals([response.status, await response.text()], [200, ""]);
  assertEquals(response.headers.get("x-amz-checksum-crc32"), "/6tyOg==");
  const got = await fetch(`${url}/${BUCKET}/a`, {
    headers: { authorization: "any", "x-amz-checksum-mode": "ENABLED" },
  });
  assertEquals(got.headers.get("x-amz-checksum-crc32"), "/6tyOg==");
  assertEquals(got.headers.get("content-length"), "12");
  assertEquals(got.headers.get("content-encoding"), "x-own");
  await got.body?.cancel().catch(() => {});
});

for (
  const { name, body, code } of [
    {
      name: "a wrong trailer",
      body: `c\r\n${BODY}\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n`,
      code: "BadDigest",
    },
    {
      name: "a missing trailer",
      body: `c\r\n${BODY}\r\n0\r\n\r\n`,
      code: "IncompleteBody",
    },
    {
      name: "fewer bytes than announced",
      body: `5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n`,
      code: "IncompleteBody",
    },
    {
      name: "a broken chunk",
      body: `5\r\nhello, world\r\n0\r\n\r\n`,
      code: "IncompleteBody",
    },
  ]
) {
  simulatorTest(`${name} is ${code} and stores nothing`, async (fixture) => {
    const response = await put(fixture.url, STREAMING, body);
    assertStringIncludes(await response.text(), `<Code>${code}</Code>`);
    assertEquals(response.status, 400);
    assertNothingStored(fixture);
  });
}

simulatorTest("a body of unknown length is refused", async (fixture) => {
  const response = await fetch(`${fixture.url}/${BUCKET}/a`, {
    method: "PUT",
    body: new Blob([BODY]).stream(),
    headers: { authorization: "any" },
  });
  assertStringIncludes(await response.text(), "<Code>MissingContentLength<");
  assertEquals(response.status, 411);
  assertNothingStored(fixture);
});

simulatorTest("a body cut short stores nothing", async (fixture) => {
  const { port } = new URL(fixture.url);
  const connection = await Deno.connect({ port: Number(port) });
  const head = [
    `PUT /${BUCKET}/a HTTP/1.1`,
    "Host: 127.0.0.1",
    "Authorization: any",
    "Content-Length: 1000000",
    "",
    "the beginning",
  ].join("\r\n");
  await connection.write(new TextEncoder().encode(head));
  const folder = `${fixture.dataDir}/${BUCKET}/bodies`;
  await until(() => [...Deno.readDirSync(folder)].length === 1);
  connection.close();
  await until(() => [...Deno.readDirSync(folder)].length === 0);
  assertNothingStored(fixture);
});

simulatorTest("the SDK streams a body with a trailer", async ({ s3 }) => {
  const chunk = new Uint8Array(64 * 1024).fill(97);
  const object = { Bucket: BUCKET, Key: "big" };
  await s3.send(
    new PutObjectCommand({
      ...object,
      Body: Readable.from(Array.from({ length: 100 }, () => chunk)),
      ContentLength: 100 * chunk.length,
    }),
  );
  // The SDK compares the checksum that comes back with the bytes it reads.
  const got = await s3.send(
    new GetObjectCommand({ ...object, ChecksumMode: "ENABLED" }),
  );
  const bytes = await got.Body?.transformToByteArray();
  assertEquals(bytes?.length, 100 * chunk.length);
  assertEquals(got.ChecksumType, "FULL_OBJECT");
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("Nothing changed in 10 s.");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
