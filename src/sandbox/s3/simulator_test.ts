import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { startS3Simulator } from "./simulator.ts";
import { BUCKET, clientFor, simulatorTest } from "./simulator_fixture.ts";

const ODD_KEYS = [
  "plain.jsonl",
  "../up/./here//twice",
  "ü+c~(1) 100%.jsonl",
  "emoji😀/a\tb&<c>",
  "trailing/",
];

async function bodyOf(
  s3: S3Client,
  input: { Key: string; Range?: string; IfMatch?: string },
): Promise<string> {
  const command = new GetObjectCommand({ Bucket: BUCKET, ...input });
  const { Body } = await s3.send(command);
  return await Body?.transformToString() ?? "";
}

async function failureOf(
  call: Promise<unknown>,
): Promise<{ name: string; status: number | undefined }> {
  const error = await assertRejects(() => call, S3ServiceException);
  return { name: error.name, status: error.$metadata.httpStatusCode };
}

function md5Hex(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

simulatorTest("what is put comes back, with its headers", async ({ s3 }) => {
  const put = await s3.send(
    new PutObjectCommand({
      Bucket: BUCKET,
      Key: "a.jsonl",
      Body: "hello\n",
      ContentType: "application/jsonl",
      ContentEncoding: "gzip",
      CacheControl: "no-store",
      Metadata: { owner: "someone" },
    }),
  );
  assertEquals(put.ETag, `"${md5Hex("hello\n")}"`);
  assertEquals(put.ChecksumCRC32, "NjowIA==");
  const got = await s3.send(
    new GetObjectCommand({ Bucket: BUCKET, Key: "a.jsonl" }),
  );
  assertEquals(await got.Body?.transformToString(), "hello\n");
  assertEquals(got.ContentLength, 6);
  assertEquals(got.ContentType, "application/jsonl");
  assertEquals(got.ContentEncoding, "gzip");
  assertEquals(got.CacheControl, "no-store");
  assertEquals(got.Metadata, { owner: "someone" });
  assertEquals(got.ETag, put.ETag);
  const head = await s3.send(
    new HeadObjectCommand({ Bucket: BUCKET, Key: "a.jsonl" }),
  );
  assertEquals(head.ContentLength, 6);
  assertEquals(head.ChecksumCRC32, undefined);
  assert(Date.now() - (head.LastModified?.getTime() ?? 0) < 60_000);
});

for (const key of ODD_KEYS) {
  simulatorTest(`the key ${JSON.stringify(key)} is itself`, async ({ s3 }) => {
    const object = { Bucket: BUCKET, Key: key };
    await s3.send(new PutObjectCommand({ ...object, Body: key }));
    assertEquals(await bodyOf(s3, { Key: key }), key);
    const list = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
    assertEquals(list.Contents?.map(({ Key }) => Key), [key]);
    await s3.send(new DeleteObjectCommand(object));
    await assertRejects(() => bodyOf(s3, { Key: key }), NoSuchKey);
  });
}

simulatorTest(
  "an overwrite leaves one file, a delete none",
  async (fixture) => {
    const { s3, dataDir } = fixture;
    const object = { Bucket: BUCKET, Key: "a" };
    const bodies = () => [...Deno.readDirSync(`${dataDir}/${BUCKET}/bodies`)];
    await s3.send(new PutObjectCommand({ ...object, Body: "one" }));
    await s3.send(new PutObjectCommand({ ...object, Body: "two" }));
    assertEquals(await bodyOf(s3, { Key: "a" }), "two");
    assertEquals(bodies().length, 1);
    await s3.send(new DeleteObjectCommand(object));
    await s3.send(new DeleteObjectCommand(object));
    assertEquals(bodies().length, 0);
  },
);

simulatorTest("objects outlive the process", async ({ s3, dataDir }) => {
  const object = { Bucket: BUCKET, Key: "a/../b", Metadata: { k: "v" } };
  await s3.send(new PutObjectCommand({ ...object, Body: "kept" }));
  const second = await startS3Simulator({ dataDir });
  const client = clientFor(second.url);
  try {
    assertEquals(await bodyOf(client, { Key: "a/../b" }), "kept");
    const head = await client.send(new HeadObjectCommand(object));
    assertEquals(head.Metadata, { k: "v" });
  } finally {
    client.destroy();
    await second.close();
  }
});

for (
  const { range, want, contentRange } of [
    { range: "bytes=0-3", want: "0123", contentRange: "bytes 0-3/10" },
    { range: "bytes=7-", want: "789", contentRange: "bytes 7-9/10" },
    { range: "bytes=-2", want: "89", contentRange: "bytes 8-9/10" },
    { range: "bytes=0-99", want: "0123456789", contentRange: "bytes 0-9/10" },
  ]
) {
  simulatorTest(`${range} is a 206 without a checksum`, async ({ s3 }) => {
    const object = { Bucket: BUCKET, Key: "digits" };
    await s3.send(new PutObjectCommand({ ...object, Body: "0123456789" }));
    const got = await s3.send(
      new GetObjectCommand({
        ...object,
        Range: range,
        ChecksumMode: "ENABLED",
      }),
    );
    assertEquals(await got.Body?.transformToString(), want);
    assertEquals(got.$metadata.httpStatusCode, 206);
    assertEquals(got.ContentRange, contentRange);
    assertEquals(got.ChecksumCRC32, undefined);
  });
}

simulatorTest("a range behind the end is InvalidRange", async ({ s3 }) => {
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "e", Body: "" }));
  const failure = await failureOf(bodyOf(s3, { Key: "e", Range: "bytes=0-1" }));
  assertEquals(failure, { name: "InvalidRange", status: 416 });
  assertEquals(await bodyOf(s3, { Key: "e" }), "");
});

simulatorTest("conditions are judged on reads and writes", async ({ s3 }) => {
  const object = { Bucket: BUCKET, Key: "a" };
  const put = (input: { IfMatch?: string; IfNoneMatch?: string }) =>
    s3.send(new PutObjectCommand({ ...object, Body: "x", ...input }));
  const get = (input: { IfMatch?: string; IfNoneMatch?: string }) =>
    s3.send(new HeadObjectCommand({ ...object, ...input }));
  assertEquals((await failureOf(put({ IfMatch: '"x"' }))).status, 404);
  const { ETag = "" } = await put({ IfNoneMatch: "*" });
  assertEquals((await failureOf(put({ IfNoneMatch: "*" }))).status, 412);
  assertEquals((await failureOf(put({ IfMatch: '"other"' }))).status, 412);
  await put({ IfMatch: ETag });
  await get({ IfMatch: ETag });
  assertEquals((await failureOf(get({ IfMatch: '"other"' }))).status, 412);
  assertEquals((await failureOf(get({ IfNoneMatch: ETag }))).status, 304);
});

simulatorTest("a bulk delete answers for each key", async ({ s3 }) => {
  for (const Key of ["a&b", "c"]) {
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "x" }));
  }
  const Objects = [{ Key: "a&b" }, { Key: "c", ETag: '"x"' }, { Key: "none" }];
  const result = await s3.send(
    new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }),
  );
  assertEquals(result.Deleted?.map(({ Key }) => Key), ["a&b", "none"]);
  assertEquals(result.Errors?.map(({ Code }) => Code), ["PreconditionFailed"]);
  const list = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  assertEquals(list.Contents?.map(({ Key }) => Key), ["c"]);
});

simulatorTest("a copy takes or replaces the metadata", async ({ s3 }) => {
  const source = { Bucket: BUCKET, Key: "a ü/1" };
  await s3.send(
    new PutObjectCommand({ ...source, Body: "x", Metadata: { k: "1" } }),
  );
  const copy = (Key: string, input: object) =>
    s3.send(
      new CopyObjectCommand({
        Bucket: BUCKET,
        Key,
        CopySource: `${BUCKET}/${encodeURIComponent("a ü/1")}`,
        ...input,
      }),
    );
  const copied = await copy("b", {});
  assertEquals(copied.CopyObjectResult?.ETag, `"${md5Hex("x")}"`);
  await copy("c", { MetadataDirective: "REPLACE", Metadata: { k: "2" } });
  const metadata = await Promise.all(["b", "c"].map(async (Key) => {
    const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
    return head.Metadata;
  }));
  assertEquals(metadata, [{ k: "1" }, { k: "2" }]);
  const itself = await failureOf(copy("a ü/1", {}));
  assertEquals(itself, { name: "InvalidRequest", status: 400 });
});

simulatorTest("buckets are made, found and removed", async ({ s3 }) => {
  const Bucket = "another-bucket";
  await s3.send(new CreateBucketCommand({ Bucket }));
  const head = await s3.send(new HeadBucketCommand({ Bucket }));
  assertEquals(head.BucketRegion, "us-west-2");
  const location = await s3.send(new GetBucketLocationCommand({ Bucket }));
  assertEquals(location.LocationConstraint, "us-west-2");
  const again = await failureOf(s3.send(new CreateBucketCommand({ Bucket })));
  assertEquals(again, { name: "BucketAlreadyOwnedByYou", status: 409 });
  await s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: "x" }));
  const full = await failureOf(s3.send(new DeleteBucketCommand({ Bucket })));
  assertEquals(full, { name: "BucketNotEmpty", status: 409 });
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
  await s3.send(new DeleteBucketCommand({ Bucket }));
  const { Buckets } = await s3.send(new ListBucketsCommand({}));
  assertEquals(Buckets?.map(({ Name }) => Name), [BUCKET]);
  const gone = await failureOf(
    s3.send(new ListObjectsV2Command({ Bucket })),
  );
  assertEquals(gone, { name: "NoSuchBucket", status: 404 });
});

simulatorTest("calls are counted by operation", async ({ s3, url }) => {
  await s3.send(new ListBucketsCommand({}));
  await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  const response = await fetch(`${url}/__calls`);
  assertEquals(await response.json(), {
    "GET ListBuckets": 1,
    "GET ListObjectsV2": 1,
  });
});

simulatorTest("an unknown key is refused", async ({ url }) => {
  const client = clientFor(url, "INVALID");
  const failure = await failureOf(client.send(new ListBucketsCommand({})));
  client.destroy();
  assertEquals(failure, { name: "InvalidAccessKeyId", status: 403 });
});
