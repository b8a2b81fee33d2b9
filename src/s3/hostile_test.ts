import { assert, assertEquals } from "@std/assert";
import { childText, parseDocument } from "./xml.ts";
import { textAnswer } from "./testing/memory_storage.ts";
import { type RawAnswer, sendRaw } from "./testing/raw_client.ts";
import { S3Server } from "./testing/s3_server.ts";

const SURFACE = "/bedrock/files";

/** Code of an error document; fails where the answer is none of S3's. */
function codeOf(answer: RawAnswer): string {
  assertEquals(answer.headers.get("content-type"), "application/xml");
  const bytes = Uint8Array.from(answer.body, (char) => char.charCodeAt(0));
  const root = parseDocument(bytes);
  assertEquals(root.name, "Error");
  assertEquals(
    childText(root, "RequestId"),
    answer.headers.get("x-amz-request-id"),
  );
  return childText(root, "Code") ?? "";
}

function request(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = "",
): string {
  const lines = Object.entries({ host: "gateway", ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${SURFACE}${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

const DELETE = "<Delete><Object><Key>k</Key></Object></Delete>";
const BOMB = '<!DOCTYPE a [<!ENTITY b "xx">]><Delete>&b;</Delete>';

function documentHeaders(body: string): Record<string, string> {
  return {
    "content-length": String(body.length),
    "x-amz-checksum-crc32": "AAAAAA==",
  };
}

for (
  const { name, bytes, status, code } of [
    {
      name: "a broken escape in a key",
      bytes: request("GET", "/b/%E0%A4%A"),
      status: 400,
      code: "InvalidURI",
    },
    {
      name: "a null in a bucket name",
      bytes: request("GET", "/b%00/k"),
      status: 400,
      code: "InvalidBucketName",
    },
    {
      name: "an encoded slash in a bucket name",
      bytes: request("GET", "/b%2Fk"),
      status: 400,
      code: "InvalidBucketName",
    },
    {
      name: "dots for a bucket name",
      bytes: request("PUT", "/../k", { "content-length": "0" }),
      status: 400,
      code: "InvalidBucketName",
    },
    {
      name: "an empty bucket name",
      bytes: request("GET", "//k"),
      status: 400,
      code: "InvalidBucketName",
    },
    {
      name: "a method that S3 does not have",
      bytes: request("PATCH", "/b/k", { "content-length": "3" }, "abc"),
      status: 405,
      code: "MethodNotAllowed",
    },
    {
      name: "a sub-resource that must not overwrite",
      bytes: request("PUT", "/b/k?acl", { "content-length": "3" }, "abc"),
      status: 501,
      code: "NotImplemented",
    },
    {
      name: "a body without a length",
      bytes: request(
        "PUT",
        "/b/k",
        { "transfer-encoding": "chunked" },
        "0\r\n\r\n",
      ),
      status: 411,
      code: "MissingContentLength",
    },
    {
      name: "a body larger than the provider takes",
      bytes: request("PUT", "/b/k", { "content-length": "67108865" }),
      status: 400,
      code: "EntityTooLarge",
    },
    {
      name: "a checksum that does not match",
      bytes: request("PUT", "/b/k", {
        "content-length": "3",
        "x-amz-checksum-crc32": "AAAAAA==",
      }, "abc"),
      status: 400,
      code: "BadDigest",
    },
    {
      name: "metadata past 2 KiB",
      bytes: request("PUT", "/b/k", {
        "content-length": "0",
        "x-amz-meta-a": "v".repeat(3000),
      }),
      status: 400,
      code: "MetadataTooLarge",
    },
    {
      name: "max-keys that is no number",
      bytes: request("GET", "/b?max-keys=-1"),
      status: 400,
      code: "InvalidArgument",
    },
    {
      name: "an encoding nobody knows",
      bytes: request("GET", "/b?encoding-type=base64"),
      status: 400,
      code: "InvalidArgument",
    },
    {
      name: "a forged continuation token",
      bytes: request("GET", "/b?list-type=2&continuation-token=%00"),
      status: 400,
      code: "InvalidArgument",
    },
    {
      name: "a header smuggled in a parameter",
      bytes: request("GET", "/b/k?x-amz-meta-a=b%0d%0ac:%20d"),
      status: 400,
      code: "InvalidArgument",
    },
    {
      name: "an unknown provider",
      bytes: request("GET", "/b", { "x-model-provider": "acme" }),
      status: 400,
      code: "InvalidArgument",
    },
    {
      name: "a bulk delete that nothing protects",
      bytes: request("POST", "/b?delete", { "content-length": "46" }, DELETE),
      status: 400,
      code: "InvalidRequest",
    },
    {
      name: "a bulk delete with another document's checksum",
      bytes: request("POST", "/b?delete", documentHeaders(DELETE), DELETE),
      status: 400,
      code: "BadDigest",
    },
    {
      name: "an entity bomb",
      bytes: request(
        "PUT",
        "/b",
        { "content-length": String(BOMB.length) },
        BOMB,
      ),
      status: 400,
      code: "MalformedXML",
    },
    {
      name: "an entity bomb for real S3",
      bytes: request("PUT", "/b", {
        "content-length": String(BOMB.length),
        "x-model-provider": "bedrock",
      }, BOMB),
      status: 400,
      code: "MalformedXML",
    },
    {
      name: "a document past 2 MiB",
      bytes: request("POST", "/b?delete", {
        "content-length": "2097153",
        "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==",
      }),
      status: 400,
      code: "EntityTooLarge",
    },
  ]
) {
  Deno.test(`${name} is answered ${status} ${code}`, async () => {
    await using server = new S3Server();
    const answer = await sendRaw(server.port, bytes);
    assertEquals([answer.status, codeOf(answer)], [status, code]);
    assert(answer.complete);
    assertEquals(server.files.held.size, 0);
    assertEquals(server.storage.seen.length, 0);
  });
}

Deno.test("an error to HEAD has its status and no body", async () => {
  await using server = new S3Server();
  const answer = await sendRaw(server.port, request("HEAD", "/b/k"));
  assertEquals([answer.status, answer.body], [404, ""]);
  assert(answer.headers.has("x-amz-request-id"));
});

Deno.test("a key is taken from the wire as it stands", async () => {
  await using server = new S3Server();
  const path = "/b/../x//y/./z%2Fq%20%C3%BC+";
  await sendRaw(
    server.port,
    request("PUT", path, { "content-length": "1" }, "x"),
  );
  assertEquals([...server.files.held.keys()], ["b/../x//y/./z/q ü+"]);
  const got = await sendRaw(server.port, request("GET", path));
  assertEquals([got.status, got.body], [200, "x"]);
});

Deno.test("an early refusal reaches a client that writes all of its body first", async () => {
  await using server = new S3Server();
  const body = "x".repeat(8 * 1024 * 1024);
  const headers = { "content-length": String(body.length) };
  const answer = await sendRaw(
    server.port,
    request("PUT", "/b/k?tagging", headers, body),
  );
  assertEquals([answer.status, codeOf(answer)], [501, "NotImplemented"]);
});

Deno.test("a body that stops in the middle is a RequestTimeout", async () => {
  await using server = new S3Server({ limits: { requestIdleMs: 50 } });
  const answer = await sendRaw(
    server.port,
    request("PUT", "/b/k", { "content-length": "10" }, "abc"),
  );
  assertEquals([answer.status, codeOf(answer)], [400, "RequestTimeout"]);
  assertEquals(server.files.held.size, 0);
});

Deno.test("a client that goes away in the middle leaves nothing behind", async () => {
  await using server = new S3Server();
  const connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: server.port,
  });
  const bytes = request("PUT", "/b/k", { "content-length": "10" }, "abc");
  await connection.write(new TextEncoder().encode(bytes));
  connection.close();
  // Shutting down waits for the call, so what follows is after its end.
  await server[Symbol.asyncDispose]();
  assertEquals(server.files.held.size, 0);
});

for (
  const { name, source } of [
    {
      name: "breaks",
      source: () =>
        new ReadableStream<Uint8Array>({
          pull(controller) {
            controller.enqueue(new Uint8Array(2));
            controller.error(new Error("upstream broke"));
          },
        }, { highWaterMark: 0 }),
    },
    {
      name: "ends early",
      source: () => ReadableStream.from([new Uint8Array(2)]),
    },
  ]
) {
  Deno.test(`a download whose upstream ${name} breaks the connection`, async () => {
    await using server = new S3Server();
    const put = request("PUT", "/b/k", { "content-length": "5" }, "hello");
    await sendRaw(server.port, put);
    server.files.override = source();
    const answer = await sendRaw(server.port, request("GET", "/b/k")).catch(
      (error: unknown) => error,
    );
    const complete = answer instanceof Error ? null : answer;
    assertEquals(
      (complete as RawAnswer | null)?.complete ?? false,
      false as boolean,
    );
  });
}

Deno.test("a client that leaves a download cancels its source", async () => {
  await using server = new S3Server();
  const size = 40_000_000;
  const { promise: cancelled, resolve } = Promise.withResolvers<string>();
  server.storage.answer = () => ({
    status: 200,
    headers: { "content-length": String(size) },
    body: new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: () => resolve("cancelled"),
    }),
  });
  const connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: server.port,
  });
  const bytes = request("GET", "/b/k", { "x-model-provider": "bedrock" });
  await connection.write(new TextEncoder().encode(bytes));
  await connection.read(new Uint8Array(1024));
  connection.close();
  assertEquals(await cancelled, "cancelled");
});

Deno.test("a client that takes gzip gets the strong ETag and the exact length", async () => {
  await using server = new S3Server();
  const body = "x".repeat(5000);
  const headers = { "content-length": "5000", "content-type": "text/plain" };
  await sendRaw(server.port, request("PUT", "/b/k", headers, body));
  const gzip = { "accept-encoding": "gzip, br" };
  const got = await sendRaw(server.port, request("GET", "/b/k", gzip));
  assertEquals(got.headers.get("etag"), '"file-1"');
  assertEquals(got.headers.get("content-length"), "5000");
  assertEquals(got.body, body);
  const list = await sendRaw(server.port, request("GET", "/b", gzip));
  assertEquals(list.headers.get("content-encoding"), null);
  assertEquals(list.headers.get("content-length"), String(list.body.length));
});

Deno.test("real S3's answer of unknown length still ends", async () => {
  await using server = new S3Server();
  server.storage.answer = () => {
    const { status, body } = textAnswer(200, "<ListBucketResult/>");
    return { status, body, headers: { "content-type": "application/xml" } };
  };
  const response = await fetch(`${server.url}/b`, {
    headers: { "x-model-provider": "bedrock" },
  });
  assertEquals(await response.text(), "<ListBucketResult/>");
});
