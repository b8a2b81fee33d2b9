import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { BUCKET, type Fixture, simulatorTest } from "./simulator_fixture.ts";

const OBJECT = { Bucket: BUCKET, Key: "dir/big.jsonl" };
const PART_BYTES = 5 * 1024 * 1024;
const FIRST = new Uint8Array(PART_BYTES).fill(97);
const LAST = new Uint8Array(10).fill(98);

async function start(
  s3: S3Client,
  input: Partial<CreateMultipartUploadCommandInput> = {},
): Promise<string> {
  const command = new CreateMultipartUploadCommand({ ...OBJECT, ...input });
  return (await s3.send(command)).UploadId ?? "";
}

async function upload(
  s3: S3Client,
  UploadId: string,
  PartNumber: number,
  Body: Uint8Array,
): Promise<CompletedPart> {
  const { ETag, ChecksumCRC32 } = await s3.send(
    new UploadPartCommand({ ...OBJECT, UploadId, PartNumber, Body }),
  );
  return {
    PartNumber,
    ...(ETag === undefined ? {} : { ETag }),
    ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }),
  };
}

function complete(s3: S3Client, UploadId: string, Parts: CompletedPart[]) {
  return s3.send(
    new CompleteMultipartUploadCommand({
      ...OBJECT,
      UploadId,
      MultipartUpload: { Parts },
    }),
  );
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, S3ServiceException)).name;
}

function multipartEtag(parts: readonly Uint8Array[]): string {
  const digests = parts.map((part) => createHash("md5").update(part).digest());
  const whole = createHash("md5").update(Buffer.concat(digests)).digest("hex");
  return `"${whole}-${parts.length}"`;
}

function fileCount({ dataDir }: Fixture): number {
  return [...Deno.readDirSync(`${dataDir}/${OBJECT.Bucket}/bodies`)].length;
}

simulatorTest("parts in any order become one object", async (fixture) => {
  const { s3 } = fixture;
  const id = await start(s3, {
    ChecksumAlgorithm: "CRC32",
    Metadata: { k: "v" },
    ContentType: "application/jsonl",
  });
  const last = await upload(s3, id, 7, LAST);
  await upload(s3, id, 2, LAST);
  const first = await upload(s3, id, 2, FIRST);
  const completed = await complete(s3, id, [first, last]);
  assertEquals(completed.ETag, multipartEtag([FIRST, LAST]));
  assertEquals(completed.ChecksumType, "COMPOSITE");
  assert(completed.ChecksumCRC32?.endsWith("-2"));
  const got = await s3.send(new GetObjectCommand(OBJECT));
  const bytes = await got.Body?.transformToByteArray() ?? new Uint8Array();
  assertEquals(bytes.length, PART_BYTES + 10);
  assertEquals([bytes[PART_BYTES - 1], bytes[PART_BYTES]], [97, 98]);
  assertEquals(got.ETag, completed.ETag);
  assertEquals(got.Metadata, { k: "v" });
  assertEquals(got.ContentType, "application/jsonl");
  assertEquals(fileCount(fixture), 1);
  assertEquals(await codeOf(complete(s3, id, [first, last])), "NoSuchUpload");
});

simulatorTest("one part of an object can be read", async ({ s3 }) => {
  const id = await start(s3);
  const parts = [await upload(s3, id, 1, FIRST), await upload(s3, id, 2, LAST)];
  await complete(s3, id, parts);
  const head = await s3.send(
    new HeadObjectCommand({ ...OBJECT, PartNumber: 2 }),
  );
  assertEquals(head.ContentLength, 10);
  assertEquals(head.PartsCount, 2);
});

simulatorTest("a full-object checksum is over all bytes", async ({ s3 }) => {
  const id = await start(s3, {
    ChecksumAlgorithm: "CRC32",
    ChecksumType: "FULL_OBJECT",
  });
  const parts = [await upload(s3, id, 1, FIRST), await upload(s3, id, 2, LAST)];
  const completed = await complete(s3, id, parts);
  const whole = new Uint8Array([...FIRST, ...LAST]);
  const put = await s3.send(
    new PutObjectCommand({ ...OBJECT, Key: "same", Body: whole }),
  );
  assertEquals(completed.ChecksumCRC32, put.ChecksumCRC32);
  assertEquals(completed.ChecksumType, "FULL_OBJECT");
});

simulatorTest("uploads and parts are listed page by page", async ({ s3 }) => {
  const id = await start(s3);
  for (const number of [1, 2, 3]) await upload(s3, id, number, LAST);
  const first = await s3.send(
    new ListPartsCommand({ ...OBJECT, UploadId: id, MaxParts: 2 }),
  );
  assertEquals(first.Parts?.map(({ PartNumber }) => PartNumber), [1, 2]);
  assert(first.IsTruncated);
  const second = await s3.send(
    new ListPartsCommand({
      ...OBJECT,
      UploadId: id,
      PartNumberMarker: first.NextPartNumberMarker ?? "",
    }),
  );
  assertEquals(second.Parts?.map(({ Size }) => Size), [10]);
  const uploads = await s3.send(
    new ListMultipartUploadsCommand({ Bucket: OBJECT.Bucket }),
  );
  assertEquals(uploads.Uploads?.map(({ UploadId }) => UploadId), [id]);
});

simulatorTest("an aborted upload leaves nothing", async (fixture) => {
  const { s3 } = fixture;
  const id = await start(s3);
  await upload(s3, id, 1, LAST);
  const abort = () =>
    s3.send(new AbortMultipartUploadCommand({ ...OBJECT, UploadId: id }));
  await abort();
  assertEquals(fileCount(fixture), 0);
  assertEquals(await codeOf(abort()), "NoSuchUpload");
  assertEquals(await codeOf(upload(s3, id, 1, LAST)), "NoSuchUpload");
});

simulatorTest("a part can be copied from a range", async ({ s3 }) => {
  await s3.send(new PutObjectCommand({ ...OBJECT, Key: "src", Body: "0123" }));
  const id = await start(s3);
  const { CopyPartResult } = await s3.send(
    new UploadPartCopyCommand({
      ...OBJECT,
      UploadId: id,
      PartNumber: 1,
      CopySource: `${OBJECT.Bucket}/src`,
      CopySourceRange: "bytes=1-2",
    }),
  );
  await complete(s3, id, [{ PartNumber: 1, ETag: CopyPartResult?.ETag ?? "" }]);
  const got = await s3.send(new GetObjectCommand(OBJECT));
  assertEquals(await got.Body?.transformToString(), "12");
});

for (
  const { name, code, choose } of [
    {
      name: "parts out of order",
      code: "InvalidPartOrder",
      choose: ([first, last]: CompletedPart[]) => [last, first],
    },
    {
      name: "another ETag",
      code: "InvalidPart",
      choose: ([first]: CompletedPart[]) => [{ ...first, ETag: '"x"' }],
    },
    {
      name: "a part that was never sent",
      code: "InvalidPart",
      choose: ([first]: CompletedPart[]) => [{ ...first, PartNumber: 9 }],
    },
    {
      name: "a small part before the last",
      code: "EntityTooSmall",
      choose: (parts: CompletedPart[]) => parts,
    },
    { name: "no parts", code: "MalformedXML", choose: () => [] },
  ]
) {
  simulatorTest(`${name} is ${code}, and the upload stays`, async ({ s3 }) => {
    const id = await start(s3);
    const parts = [
      await upload(s3, id, 1, LAST),
      await upload(s3, id, 2, LAST),
    ];
    const chosen = choose(parts).flatMap((part) => part ?? []);
    assertEquals(await codeOf(complete(s3, id, chosen)), code);
    await complete(s3, id, parts.slice(0, 1));
  });
}
