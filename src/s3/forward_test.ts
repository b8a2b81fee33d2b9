import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { assert, assertEquals } from "@std/assert";
import type { Credential } from "../auth/credentials.ts";
import { textAnswer } from "./testing/memory_storage.ts";
import { clientOf, refusalOf } from "./testing/s3_client.ts";
import { ADMIN, S3Server, TENANT } from "./testing/s3_server.ts";

const SIGNED = { credentials: [ADMIN, TENANT] };

function bedrock(server: S3Server, credential: Credential = ADMIN) {
  return clientOf(server, { provider: "bedrock", credential });
}

Deno.test("a put reaches S3 with its own headers, verified and unframed", async () => {
  await using server = new S3Server(SIGNED);
  server.storage.answer = () => textAnswer(200, "", { etag: '"md5"' });
  const put = await bedrock(server).send(
    new PutObjectCommand({
      Bucket: "b",
      Key: "a b/../ü+.jsonl",
      Body: "line\n",
      ContentType: "text/plain",
      IfNoneMatch: "*",
      Metadata: { team: "red" },
      Tagging: "a=b",
    }),
  );
  assertEquals(put.ETag, '"md5"');
  const seen = server.storage.seen[0];
  assertEquals([seen?.method, seen?.bucket], ["PUT", "b"]);
  assertEquals(seen?.rawKey, "a%20b/../%C3%BC%2B.jsonl");
  assertEquals(seen?.query, []);
  assertEquals(seen?.body, "line\n");
  const { "x-amz-checksum-crc32": crc32, ...headers } = seen?.headers ?? {};
  assert(crc32 !== undefined);
  assertEquals(headers, {
    "content-type": "text/plain",
    "if-none-match": "*",
    "x-amz-meta-team": "red",
    "x-amz-sdk-checksum-algorithm": "CRC32",
    "x-amz-tagging": "a=b",
  });
});

Deno.test("a read's conditions, range and parameters reach S3", async () => {
  await using server = new S3Server(SIGNED);
  server.storage.answer = () =>
    textAnswer(206, "abc", {
      etag: '"md5"',
      "content-range": "bytes 0-2/9",
      "x-amz-version-id": "v1",
    });
  const got = await bedrock(server).send(
    new GetObjectCommand({
      Bucket: "b",
      Key: "k",
      Range: "bytes=0-2",
      IfMatch: '"md5"',
      VersionId: "v1",
      ResponseContentType: "text/csv",
    }),
  );
  assertEquals(await got.Body?.transformToString(), "abc");
  assertEquals([got.ContentRange, got.VersionId], ["bytes 0-2/9", "v1"]);
  const seen = server.storage.seen[0];
  assertEquals(Object.fromEntries(seen?.query ?? []), {
    versionId: "v1",
    "response-content-type": "text/csv",
  });
  assertEquals(seen?.headers["range"], "bytes=0-2");
  assertEquals(seen?.headers["if-match"], '"md5"');
});

Deno.test("a HEAD keeps the length and the error status that S3 gave", async () => {
  await using server = new S3Server(SIGNED);
  const client = bedrock(server);
  const head = new HeadObjectCommand({ Bucket: "b", Key: "k" });
  server.storage.answer = () => ({
    status: 200,
    headers: { "content-length": "12345", etag: '"md5"' },
    body: null,
  });
  assertEquals((await client.send(head)).ContentLength, 12345);
  server.storage.answer = () => ({ status: 404, headers: {}, body: null });
  const error = await refusalOf(client.send(head));
  assertEquals(error.$metadata.httpStatusCode, 404);
});

Deno.test("S3's own error reaches the client under the call's own ids", async () => {
  await using server = new S3Server();
  server.storage.answer = () =>
    textAnswer(
      404,
      "<Error><Code>NoSuchBucket</Code><Message>gone ü</Message>" +
        "<RequestId>UPSTREAM</RequestId><HostId>HOST</HostId></Error>",
      { "content-type": "application/xml" },
    );
  const response = await fetch(`${server.url}/b`, {
    headers: { "x-model-provider": "bedrock" },
  });
  assertEquals(response.status, 404);
  const requestId = response.headers.get("x-amz-request-id");
  const hostId = response.headers.get("x-amz-id-2");
  assertEquals(
    await response.text(),
    "<Error><Code>NoSuchBucket</Code><Message>gone ü</Message>" +
      `<RequestId>${requestId}</RequestId><HostId>${hostId}</HostId></Error>`,
  );
  assertEquals(server.notes[0]?.["upstreamRequestId"], "UPSTREAM");
});

for (const status of [301, 302, 307, 308]) {
  Deno.test(`S3's ${status} is an error and never a redirect`, async () => {
    await using server = new S3Server(SIGNED);
    server.storage.answer = () =>
      textAnswer(status, "<Error><Code>PermanentRedirect</Code></Error>", {
        location: "http://elsewhere.invalid/",
        "x-amz-bucket-region": "eu-west-1",
      });
    const error = await refusalOf(
      bedrock(server).send(new ListObjectsV2Command({ Bucket: "b" })),
    );
    assertEquals(error.name, "InvalidRequest");
    assertEquals(error.$metadata.httpStatusCode, 400);
    assert(error.message.includes("eu-west-1"));
  });
}

Deno.test("a completed upload's checksum is the object's, not the document's", async () => {
  await using server = new S3Server(SIGNED);
  server.storage.answer = () =>
    textAnswer(200, "<CompleteMultipartUploadResult/>");
  await bedrock(server).send(
    new CompleteMultipartUploadCommand({
      Bucket: "b",
      Key: "k",
      UploadId: "u",
      ChecksumCRC32: "AAAAAA==",
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: '"e"' }] },
    }),
  );
  const seen = server.storage.seen[0];
  assertEquals(seen?.headers["x-amz-checksum-crc32"], "AAAAAA==");
  assertEquals(seen?.query, [["uploadId", "u"]]);
  assert(seen?.body?.includes("<PartNumber>1</PartNumber>"));
});

Deno.test("a part reaches S3 under its upload and number", async () => {
  await using server = new S3Server(SIGNED);
  server.storage.answer = () => textAnswer(200, "", { etag: '"p"' });
  const part = { Bucket: "b", Key: "k", UploadId: "u", PartNumber: 3 };
  await bedrock(server).send(new UploadPartCommand({ ...part, Body: "part" }));
  const seen = server.storage.seen[0];
  assertEquals(Object.fromEntries(seen?.query ?? []), {
    partNumber: "3",
    uploadId: "u",
  });
  assertEquals(seen?.body, "part");
});

// ----------------------------------------------------------- allow-list

for (
  const { name, command, allowed } of [
    {
      name: "read its own bucket",
      command: new GetObjectCommand({ Bucket: "mine", Key: "k" }),
      allowed: true,
    },
    {
      name: "read another bucket",
      command: new GetObjectCommand({ Bucket: "other", Key: "k" }),
      allowed: false,
    },
    {
      name: "write under its prefix",
      command: new PutObjectCommand({
        Bucket: "shared",
        Key: "acme/k",
        Body: "x",
      }),
      allowed: true,
    },
    {
      name: "write beside its prefix",
      command: new PutObjectCommand({ Bucket: "shared", Key: "k", Body: "x" }),
      allowed: false,
    },
    {
      name: "climb out of its prefix",
      command: new GetObjectCommand({ Bucket: "shared", Key: "acme/../k" }),
      allowed: false,
    },
    {
      name: "list its prefix",
      command: new ListObjectsV2Command({ Bucket: "shared", Prefix: "acme/x" }),
      allowed: true,
    },
    {
      name: "list the whole of a shared bucket",
      command: new ListObjectsV2Command({ Bucket: "shared" }),
      allowed: false,
    },
    {
      name: "list uploads beside its prefix",
      command: new ListMultipartUploadsCommand({ Bucket: "shared" }),
      allowed: false,
    },
    {
      name: "look at a shared bucket",
      command: new HeadBucketCommand({ Bucket: "shared" }),
      allowed: true,
    },
    {
      name: "look at another bucket",
      command: new HeadBucketCommand({ Bucket: "other" }),
      allowed: false,
    },
    {
      name: "create its own bucket",
      command: new CreateBucketCommand({ Bucket: "mine" }),
      allowed: true,
    },
    {
      name: "delete a shared bucket",
      command: new DeleteBucketCommand({ Bucket: "shared" }),
      allowed: false,
    },
    {
      name: "copy within its reach",
      command: new CopyObjectCommand({
        Bucket: "mine",
        Key: "k",
        CopySource: "shared/acme/k",
      }),
      allowed: true,
    },
    {
      name: "copy from beyond its reach",
      command: new CopyObjectCommand({
        Bucket: "mine",
        Key: "k",
        CopySource: "/other/k",
      }),
      allowed: false,
    },
    {
      name: "copy from an encoded source beyond its reach",
      command: new CopyObjectCommand({
        Bucket: "mine",
        Key: "k",
        CopySource: "shared%2Fsecret",
      }),
      allowed: false,
    },
    {
      name: "copy a part from beyond its reach",
      command: new UploadPartCopyCommand({
        Bucket: "mine",
        Key: "k",
        UploadId: "u",
        PartNumber: 1,
        CopySource: "other/k",
      }),
      allowed: false,
    },
    {
      name: "delete a key among those beyond its prefix",
      command: new DeleteObjectsCommand({
        Bucket: "shared",
        Delete: { Objects: [{ Key: "acme/k" }, { Key: "other" }] },
      }),
      allowed: false,
    },
  ]
) {
  Deno.test(`a tenant ${allowed ? "may" : "may not"} ${name}`, async () => {
    await using server = new S3Server(SIGNED);
    server.storage.answer = () => textAnswer(200, "<Result/>");
    // deno-lint-ignore no-explicit-any -- the union of commands has no common type
    const sent = bedrock(server, TENANT).send(command as any);
    if (allowed) {
      await sent;
      assertEquals(server.storage.seen.length, 1);
    } else {
      const error = await refusalOf(sent);
      assertEquals(error.$metadata.httpStatusCode, 403);
      assertEquals(server.storage.seen.length, 0);
    }
  });
}

Deno.test("a bulk delete within a prefix reaches S3 written anew", async () => {
  await using server = new S3Server(SIGNED);
  server.storage.answer = () => textAnswer(200, "<DeleteResult/>");
  const Objects = [{ Key: "acme/a&b" }, { Key: "acme/c" }];
  await bedrock(server, TENANT).send(
    new DeleteObjectsCommand({ Bucket: "shared", Delete: { Objects } }),
  );
  const seen = server.storage.seen[0];
  assertEquals(
    seen?.body,
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      "<Object><Key>acme/a&amp;b</Key></Object>" +
      "<Object><Key>acme/c</Key></Object></Delete>",
  );
  assert(seen?.headers["content-md5"] !== undefined);
  assertEquals(seen?.headers["x-amz-checksum-crc32"], undefined);
});

Deno.test("a tenant's ListBuckets shows the buckets within reach", async () => {
  await using server = new S3Server(SIGNED);
  const list = "<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets>" +
    ["mine", "other", "shared"].map((name) =>
      `<Bucket><Name>${name}</Name>` +
      "<CreationDate>2026-01-02T03:04:05.000Z</CreationDate></Bucket>"
    ).join("") + "</Buckets></ListAllMyBucketsResult>";
  server.storage.answer = () => textAnswer(200, list);
  const names = async (credential: Credential) => {
    const client = bedrock(server, credential);
    const { Buckets } = await client.send(new ListBucketsCommand({}));
    return Buckets?.map((bucket) => bucket.Name);
  };
  assertEquals(await names(ADMIN), ["mine", "other", "shared"]);
  assertEquals(await names(TENANT), ["mine", "shared"]);
});
