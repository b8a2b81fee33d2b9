import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { assert, assertEquals } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { clientOf, refusalOf } from "./testing/s3_client.ts";
import { ADMIN, NO_STORAGE_REASON, S3Server } from "./testing/s3_server.ts";

const SIGNED = { credentials: [ADMIN] };
const LINE = '{"custom_id":"r1"}\n';

Deno.test("an object put is headed, got and deleted under its key", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const name = { Bucket: "openai-files", Key: "a b/ü+c~(1).jsonl" };
  const put = await client.send(
    new PutObjectCommand({
      ...name,
      Body: LINE,
      ContentType: "application/jsonl",
      CacheControl: "no-store",
      Metadata: { team: "red" },
    }),
  );
  assertEquals(put.ETag, '"file-1"');
  assert(put.ChecksumCRC32 !== undefined);

  const head = await client.send(new HeadObjectCommand(name));
  assertEquals(head.ETag, '"file-1"');
  assertEquals(head.ContentLength, LINE.length);
  assertEquals(head.ContentType, "application/jsonl");
  assertEquals(head.Metadata, { team: "red" });
  assertEquals(head.LastModified, new Date("2026-01-02T03:04:05Z"));
  assertEquals(head.ChecksumCRC32, undefined);

  const got = await client.send(new GetObjectCommand(name));
  assertEquals(await got.Body?.transformToString(), LINE);
  assertEquals(got.CacheControl, "no-store");
  assertEquals(got.ChecksumCRC32, put.ChecksumCRC32);

  await client.send(new DeleteObjectCommand(name));
  const gone = await refusalOf(client.send(new GetObjectCommand(name)));
  assertEquals([gone.name, gone.$metadata.httpStatusCode], ["NoSuchKey", 404]);
  await client.send(new DeleteObjectCommand(name));
});

Deno.test("a file is named by its id in If-Match", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  await client.send(
    new PutObjectCommand({ Bucket: "b", Key: "k", Body: LINE }),
  );
  const elsewhere = { Bucket: "other", Key: "any", IfMatch: "file-1" };
  const head = await client.send(new HeadObjectCommand(elsewhere));
  assertEquals(head.ETag, '"file-1"');
  const missed = await refusalOf(
    client.send(
      new GetObjectCommand({ Bucket: "b", Key: "k", IfMatch: '"file-9"' }),
    ),
  );
  assertEquals(missed.$metadata.httpStatusCode, 412);
});

for (
  const { name, input, status, body, range } of [
    {
      name: "a slice",
      input: { Range: "bytes=2-4" },
      status: 206,
      body: "234",
      range: "bytes 2-4/10",
    },
    {
      name: "a suffix",
      input: { Range: "bytes=-2" },
      status: 206,
      body: "89",
      range: "bytes 8-9/10",
    },
    {
      name: "several ranges as the whole",
      input: { Range: "bytes=0-1,4-5" },
      status: 200,
      body: "0123456789",
      range: undefined,
    },
    {
      name: "the only part",
      input: { PartNumber: 1 },
      status: 206,
      body: "0123456789",
      range: "bytes 0-9/10",
    },
  ]
) {
  Deno.test(`GetObject gives ${name}`, async () => {
    await using server = new S3Server(SIGNED);
    const client = clientOf(server);
    const at = { Bucket: "b", Key: "k" };
    await client.send(new PutObjectCommand({ ...at, Body: "0123456789" }));
    const got = await client.send(new GetObjectCommand({ ...at, ...input }));
    assertEquals(got.$metadata.httpStatusCode, status);
    assertEquals(await got.Body?.transformToString(), body);
    assertEquals(got.ContentLength, body.length);
    assertEquals(got.ContentRange, range);
    assertEquals(got.ChecksumCRC32 !== undefined, status === 200);
    const head = await client.send(new HeadObjectCommand({ ...at, ...input }));
    assertEquals(head.ContentLength, body.length);
  });
}

Deno.test("GetObject answers 416 and 304 as S3 does", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const at = { Bucket: "b", Key: "k" };
  await client.send(new PutObjectCommand({ ...at, Body: "0123456789" }));
  const beyond = await refusalOf(
    client.send(new GetObjectCommand({ ...at, Range: "bytes=10-" })),
  );
  assertEquals(beyond.name, "InvalidRange");
  assertEquals(beyond.$metadata.httpStatusCode, 416);
  const known = await refusalOf(
    client.send(new GetObjectCommand({ ...at, IfNoneMatch: '"file-1"' })),
  );
  assertEquals(known.$metadata.httpStatusCode, 304);
});

Deno.test("GetObject lets response-* parameters win", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const at = { Bucket: "b", Key: "k" };
  await client.send(new PutObjectCommand({ ...at, Body: LINE }));
  const got = await client.send(
    new GetObjectCommand({ ...at, ResponseContentType: "text/csv" }),
  );
  assertEquals(got.ContentType, "text/csv");
  await got.Body?.transformToString();
});

Deno.test("GetObjectAttributes gives what was asked for", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const at = { Bucket: "b", Key: "k" };
  await client.send(new PutObjectCommand({ ...at, Body: LINE }));
  const got = await client.send(
    new GetObjectAttributesCommand({
      ...at,
      ObjectAttributes: ["ETag", "ObjectSize"],
    }),
  );
  assertEquals(got.ETag, "file-1");
  assertEquals(got.ObjectSize, LINE.length);
  assertEquals(got.StorageClass, undefined);
});

Deno.test("PutObject with If-None-Match: * never replaces", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const put = { Bucket: "b", Key: "k", Body: LINE, IfNoneMatch: "*" };
  await client.send(new PutObjectCommand(put));
  const error = await refusalOf(client.send(new PutObjectCommand(put)));
  assertEquals(error.name, "PreconditionFailed");
});

Deno.test("bucket operations succeed for any name", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const Bucket = "Any_Name.1";
  const created = await client.send(new CreateBucketCommand({ Bucket }));
  assertEquals(created.Location, `/${Bucket}`);
  const head = await client.send(new HeadBucketCommand({ Bucket }));
  assertEquals(head.BucketRegion, "eu-west-1");
  const location = await client.send(new GetBucketLocationCommand({ Bucket }));
  assertEquals(location.LocationConstraint as string, "eu-west-1");
  await client.send(new DeleteBucketCommand({ Bucket }));
});

Deno.test("ListBuckets gives the configured buckets, page by page", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  const all = await client.send(new ListBucketsCommand({}));
  const names = ["openai-files", "openai-output"];
  assertEquals(all.Buckets?.map((bucket) => bucket.Name), names);
  const first = await client.send(new ListBucketsCommand({ MaxBuckets: 1 }));
  assertEquals(first.Buckets?.map((bucket) => bucket.Name), ["openai-files"]);
  const second = await client.send(
    new ListBucketsCommand({ ContinuationToken: first.ContinuationToken }),
  );
  assertEquals(second.Buckets?.map((bucket) => bucket.Name), ["openai-output"]);
});

async function putAll(client: S3Client, keys: string[]): Promise<void> {
  for (const Key of keys) {
    await client.send(new PutObjectCommand({ Bucket: "b", Key, Body: "x" }));
  }
}

Deno.test("ListObjectsV2 pages through keys and common prefixes", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  await putAll(client, ["a", "b/1", "b/2", "c d+e", "ü/1", "z"]);
  const seen: (string | undefined)[] = [];
  const pages = paginateListObjectsV2({ client, pageSize: 2 }, {
    Bucket: "b",
    Delimiter: "/",
  });
  for await (const page of pages) {
    seen.push(...page.Contents?.map(({ Key }) => Key) ?? []);
    seen.push(...page.CommonPrefixes?.map(({ Prefix }) => Prefix) ?? []);
  }
  assertEquals(seen, ["a", "b/", "c d+e", "z", "ü/"]);
});

Deno.test("ListObjectsV2 gives what the list knows of each object", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  await putAll(client, ["a"]);
  const page = await client.send(
    new ListObjectsV2Command({
      Bucket: "b",
      FetchOwner: true,
      StartAfter: "A",
    }),
  );
  assertEquals(page.KeyCount, 1);
  assertEquals(page.StartAfter, "A");
  assertEquals(page.Contents?.[0]?.ETag, '"file-1"');
  assertEquals(page.Contents?.[0]?.Size, 1);
  assertEquals(page.Contents?.[0]?.Owner?.ID, "ops");
  assertEquals(page.IsTruncated, false as boolean);
});

Deno.test("ListObjects gives NextMarker only with a delimiter", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  await putAll(client, ["a/1", "b/1", "c"]);
  const list = { Bucket: "b", MaxKeys: 1 };
  const plain = await client.send(new ListObjectsCommand(list));
  assertEquals([plain.IsTruncated, plain.NextMarker], [true, undefined]);
  const rolled = await client.send(
    new ListObjectsCommand({ ...list, Delimiter: "/" }),
  );
  assertEquals(rolled.NextMarker, "a/");
  const next = await client.send(
    new ListObjectsCommand({ ...list, Delimiter: "/", Marker: "a/" }),
  );
  assertEquals(next.CommonPrefixes?.[0]?.Prefix, "b/");
});

Deno.test("DeleteObjects reports each key for itself", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  await putAll(client, ["a", "b", "c&<d>"]);
  server.files.listedOnly.add("b");
  const Objects = [
    { Key: "a" },
    { Key: "b" },
    { Key: "absent" },
    { Key: "c&<d>", ETag: '"file-9"' },
    { Key: "k".repeat(1025) },
  ];
  const got = await client.send(
    new DeleteObjectsCommand({ Bucket: "b", Delete: { Objects } }),
  );
  assertEquals(got.Deleted?.map(({ Key }) => Key), ["a", "absent"]);
  assertEquals(got.Errors?.map(({ Code }) => Code), [
    "AccessDenied",
    "PreconditionFailed",
    "KeyTooLongError",
  ]);
  const quiet = await client.send(
    new DeleteObjectsCommand({
      Bucket: "b",
      Delete: { Objects: [{ Key: "c&<d>" }, { Key: "b" }], Quiet: true },
    }),
  );
  assertEquals(quiet.Deleted, undefined);
  assertEquals(quiet.Errors?.map(({ Key }) => Key), ["b"]);
  assertEquals([...server.files.held.keys()], ["b/b"]);
});

for (
  const { name, command, code } of [
    {
      name: "a bucket name with a space",
      command: new HeadBucketCommand({ Bucket: "b b" }),
      code: 400,
    },
    {
      name: "a key of 1,025 bytes",
      command: new PutObjectCommand({
        Bucket: "b",
        Key: "ü".repeat(512) + "k",
        Body: "x",
      }),
      code: 400,
    },
    {
      name: "a version",
      command: new GetObjectCommand({ Bucket: "b", Key: "k", VersionId: "v1" }),
      code: 400,
    },
    {
      name: "a storage class that no provider has",
      command: new PutObjectCommand({
        Bucket: "b",
        Key: "k",
        Body: "x",
        StorageClass: "GLACIER",
      }),
      code: 501,
    },
    {
      name: "a condition of directory buckets",
      command: new DeleteObjectCommand({
        Bucket: "b",
        Key: "k",
        IfMatchSize: 1,
      }),
      code: 501,
    },
  ]
) {
  Deno.test(`a provider's files refuse ${name} with ${code}`, async () => {
    await using server = new S3Server(SIGNED);
    const client = clientOf(server);
    const error = await refusalOf(
      // deno-lint-ignore no-explicit-any -- the union of commands has no common type
      client.send(command as any),
    );
    assertEquals(error.$metadata.httpStatusCode, code);
    assertEquals(server.files.held.size, 0);
  });
}

Deno.test("anthropic refuses every operation and says what to do", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server, { provider: "anthropic" });
  const error = await refusalOf(client.send(new ListBucketsCommand({})));
  assertEquals(error.name, "NotImplemented");
  assertEquals(error.message, NO_STORAGE_REASON);
  const put = new PutObjectCommand({ Bucket: "b b", Key: "k", Body: "x" });
  assertEquals((await refusalOf(client.send(put))).message, NO_STORAGE_REASON);
});

Deno.test("a wrong secret is refused before anything is asked or stored", async () => {
  const credentials = [{ ...ADMIN, secretAccessKey: "another" }];
  await using server = new S3Server({ credentials });
  const client = clientOf(server);
  const error = await refusalOf(
    client.send(new PutObjectCommand({ Bucket: "b", Key: "k", Body: LINE })),
  );
  assertEquals(error.name, "SignatureDoesNotMatch");
  assertEquals(server.files.held.size, 0);
});

Deno.test("an error that nobody foresaw shows nothing and is logged", async () => {
  await using server = new S3Server(SIGNED);
  const client = clientOf(server);
  await client.send(new PutObjectCommand({ Bucket: "b", Key: "k", Body: "x" }));
  server.files.corrupt("b/k", "secret\r\n");
  const error = await refusalOf(
    client.send(new GetObjectCommand({ Bucket: "b", Key: "k" })),
  );
  assertEquals(error.name, "InternalError");
  assert(!error.message.includes("secret"));
  const requestId = error.$metadata.requestId ?? "missing";
  assert(server.logLines.some((line) => line.includes(requestId)));
});

Deno.test("a limited provider is SlowDown with the wait it named", async () => {
  await using server = new S3Server({
    ...SIGNED,
    deps: {
      resolveDriver: () =>
        Promise.reject(
          new GatewayError(
            { kind: "rate_limited", retryAfterMs: 1500 },
            "Later.",
          ),
        ),
    },
  });
  const error = await refusalOf(
    clientOf(server).send(new ListBucketsCommand({})),
  );
  assertEquals([error.name, error.$metadata.httpStatusCode], ["SlowDown", 503]);
  assertEquals(error.$response?.headers["retry-after"], "2");
});

Deno.test("the access log learns operation, provider, tenant and bytes", async () => {
  await using server = new S3Server(SIGNED);
  await clientOf(server).send(
    new PutObjectCommand({ Bucket: "b", Key: "k", Body: LINE }),
  );
  assertEquals(server.notes, [{
    operation: "PutObject",
    tenant: "ops",
    provider: "openai",
    responseBytes: 0,
    requestBytes: LINE.length,
  }]);
});
