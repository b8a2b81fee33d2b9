import { assert, assertEquals } from "@std/assert";
import {
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { BUCKET, simulatorTest } from "./simulator_fixture.ts";

simulatorTest(
  "a list is in byte order and pages through all",
  async (fixture) => {
    const { s3 } = fixture;
    const keys = [
      "a\ufffd",
      "b/1",
      "b/2",
      "c d+e",
      "a😀",
      "Z",
      "b/3/x",
      "\u0001",
    ];
    for (const Key of keys) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "x" }));
    }
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: BUCKET,
          MaxKeys: 3,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      assert((page.KeyCount ?? 0) <= 3);
      found.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    assertEquals(
      found,
      ["\u0001", "Z", "a\ufffd", "a😀", "b/1", "b/2", "b/3/x", "c d+e"],
    );
  },
);

simulatorTest(
  "a delimiter rolls keys up, one entry a prefix",
  async ({ s3 }) => {
    for (const Key of ["b/1", "b/2", "b/3/x", "b/3/y", "c"]) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "x" }));
    }
    const first = await s3.send(
      new ListObjectsV2Command({
        Bucket: BUCKET,
        Prefix: "b/",
        Delimiter: "/",
        StartAfter: "b/1",
        MaxKeys: 1,
      }),
    );
    assertEquals(first.Contents?.map(({ Key }) => Key), ["b/2"]);
    assert(first.IsTruncated);
    const second = await s3.send(
      new ListObjectsV2Command({
        Bucket: BUCKET,
        Prefix: "b/",
        Delimiter: "/",
        ...(first.NextContinuationToken === undefined
          ? {}
          : { ContinuationToken: first.NextContinuationToken }),
      }),
    );
    assertEquals(second.CommonPrefixes, [{ Prefix: "b/3/" }]);
    assert(!second.IsTruncated);
  },
);

simulatorTest("encoding-type=url encodes as S3 does", async ({ s3 }) => {
  const Key = "a b+c/ü(1)*~.jsonl";
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "x" }));
  const list = await s3.send(
    new ListObjectsCommand({ Bucket: BUCKET, EncodingType: "url" }),
  );
  assertEquals(list.EncodingType, "url");
  assertEquals(list.Contents?.[0]?.Key, "a+b%2Bc/%C3%BC%281%29*%7E.jsonl");
});

simulatorTest(
  "the first version of the list names a marker",
  async ({ s3 }) => {
    for (const Key of ["a/1", "b", "c"]) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "x" }));
    }
    const first = await s3.send(
      new ListObjectsCommand({ Bucket: BUCKET, Delimiter: "/", MaxKeys: 1 }),
    );
    assertEquals(first.CommonPrefixes, [{ Prefix: "a/" }]);
    assertEquals(first.NextMarker, "a/");
    const second = await s3.send(
      new ListObjectsCommand({ Bucket: BUCKET, Delimiter: "/", Marker: "a/" }),
    );
    assertEquals(second.Contents?.map(({ Key }) => Key), ["b", "c"]);
  },
);
