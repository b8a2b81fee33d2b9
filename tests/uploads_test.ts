/** Multipart uploads as the AWS SDK does them, through a whole gateway. */
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  completeUpload,
  createUpload,
  type FileProvider,
  largePart,
  md5,
  PART_BYTES,
  readObject,
  RECORDS,
  sha256,
  uploadPart,
  type UploadPlace,
  utf8,
} from "./support/multipart.ts";
import { errorOf, SandboxedGateway } from "./support/sandboxed_gateway.ts";

const BUCKET = "any-bucket";

const FILE_IDS = {
  openai: /^"file-[A-Za-z0-9]+"$/,
  gemini: /^"[a-z0-9]+"$/,
} as const;

Deno.test("multipart uploads, as the AWS SDK does them", async (t) => {
  await using gateway = await SandboxedGateway.start();
  for (const provider of ["openai", "gemini"] as const) {
    const s3 = gateway.client(provider);
    await t.step(
      `${provider}: parts in parallel and in any order become one file`,
      () => partsBecomeOneFile(s3, provider),
    );
    await t.step(
      `${provider}: what is wrong with a completion gets S3's errors`,
      () => completionErrors(s3, provider),
    );
    await t.step(
      `${provider}: uploads are listed page by page`,
      () => uploadsArePaged(s3),
    );
    await t.step(
      `${provider}: parts are listed page by page`,
      () => partsArePaged(s3),
    );
  }
  const openai = gateway.client("openai");
  await t.step(
    "checksums are echoed, kept and given back",
    () => checksumsAreKept(openai),
  );
  await t.step("parts are copied from ranges", () => partsAreCopied(openai));
  await t.step("nothing is left in the object store", async () => {
    assertEquals(await gateway.stored("uploads/"), []);
  });
});

async function partsBecomeOneFile(
  s3: S3Client,
  provider: FileProvider,
): Promise<void> {
  const key = "in/big file+ü.jsonl";
  const first = largePart(RECORDS[provider]);
  const last = utf8(RECORDS[provider]);
  const upload = await createUpload(s3, BUCKET, key, {
    ContentType: "application/jsonl",
    Metadata: { who: "me" },
  });
  const parts = await Promise.all(
    [9, 2, 5, 3].map((number) =>
      uploadPart(s3, upload, number, number === 9 ? last : first)
    ),
  );
  // A retry of a part takes the place of the first try.
  parts[1] = await uploadPart(s3, upload, 2, first);
  parts.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
  const done = await completeUpload(s3, upload, parts);
  assertMatch(done.ETag ?? "", FILE_IDS[provider]);
  assertEquals([done.Bucket, done.Key], [BUCKET, key]);
  const again = await completeUpload(s3, upload, parts);
  assertEquals(again.ETag, done.ETag);
  const head = await s3.send(
    new HeadObjectCommand({ Bucket: BUCKET, Key: key }),
  );
  assertEquals(head.ETag, done.ETag);
  assertEquals(head.ContentLength, 3 * PART_BYTES + last.length);
  assertEquals(head.Metadata, { who: "me" });
  assertEquals(head.ContentType, "application/jsonl");
  // Gemini hands no upload back.
  if (provider === "gemini") return;
  const bytes = await readObject(s3, BUCKET, key);
  assertEquals(sha256(bytes), sha256(first, first, first, last));
}

async function completionErrors(
  s3: S3Client,
  provider: FileProvider,
): Promise<void> {
  const key = "in/wrong.jsonl";
  const record = RECORDS[provider];
  const upload = await createUpload(s3, BUCKET, key);
  const one = await uploadPart(s3, upload, 1, record);
  const two = await uploadPart(s3, upload, 2, record);
  const errorFor = (parts: CompletedPart[], input = {}) =>
    errorOf(completeUpload(s3, upload, parts, input));
  const wrong = { PartNumber: 1, ETag: '"0123"' };
  assertEquals(await errorFor([wrong]), "400 InvalidPart");
  assertEquals(await errorFor([two, one]), "400 InvalidPartOrder");
  assertEquals(await errorFor([one, two]), "400 EntityTooSmall");
  assertEquals(await errorFor([]), "400 MalformedXML");
  const size = { MpuObjectSize: 1 };
  assertEquals(await errorFor([one], size), "400 InvalidRequest");
  assertEquals(
    await errorOf(uploadPart(s3, upload, 10_001, "x")),
    "400 InvalidArgument",
  );
  const elsewhere = { ...upload, key: "in/other.jsonl" };
  assertEquals(
    await errorOf(completeUpload(s3, elsewhere, [one])),
    "404 NoSuchUpload",
  );
  await completeUpload(s3, upload, [one], { IfNoneMatch: "*" });
  const next = await createUpload(s3, BUCKET, key);
  const part = await uploadPart(s3, next, 1, record);
  assertEquals(
    await errorOf(completeUpload(s3, next, [part], { IfNoneMatch: "*" })),
    "412 PreconditionFailed",
  );
  await abort(s3, next);
  assertEquals(await errorOf(abort(s3, next)), "404 NoSuchUpload");
  assertEquals(
    await errorOf(uploadPart(s3, upload, 1, record)),
    "404 NoSuchUpload",
  );
}

function abort(s3: S3Client, { bucket, key, uploadId }: UploadPlace) {
  return s3.send(
    new AbortMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
    }),
  );
}

async function uploadsArePaged(s3: S3Client): Promise<void> {
  const uploads: UploadPlace[] = [];
  for (const key of ["l/a", "l/b/1", "l/b/2", "l/c d+e", "l/c d+e"]) {
    uploads.push(await createUpload(s3, BUCKET, key));
  }
  const listed: (string | undefined)[] = [];
  let markers: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (let page = 1; page <= 10; page++) {
    const got = await s3.send(
      new ListMultipartUploadsCommand({
        Bucket: BUCKET,
        Prefix: "l/",
        Delimiter: "/",
        MaxUploads: 1,
        ...markers,
      }),
    );
    listed.push(...(got.Uploads ?? []).map(({ Key }) => Key));
    listed.push(...(got.CommonPrefixes ?? []).map(({ Prefix }) => Prefix));
    if (!got.IsTruncated) break;
    const { NextKeyMarker = "", NextUploadIdMarker = "" } = got;
    markers = { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker };
  }
  assertEquals(listed, ["l/a", "l/b/", "l/c d+e", "l/c d+e"]);
  for (const upload of uploads) await abort(s3, upload);
}

async function partsArePaged(s3: S3Client): Promise<void> {
  const upload = await createUpload(s3, BUCKET, "l/parts");
  for (const number of [10, 2, 1]) await uploadPart(s3, upload, number, "xyz");
  const list = (marker?: string) =>
    s3.send(
      new ListPartsCommand({
        Bucket: BUCKET,
        Key: upload.key,
        UploadId: upload.uploadId,
        MaxParts: 2,
        PartNumberMarker: marker,
      }),
    );
  const first = await list();
  assertEquals(first.Parts?.map((part) => part.PartNumber), [1, 2]);
  assertEquals(first.Parts?.[0]?.Size, 3);
  assertEquals(first.Parts?.[0]?.ETag, `"${md5("xyz")}"`);
  assert(first.IsTruncated);
  const second = await list(first.NextPartNumberMarker);
  assertEquals(second.Parts?.map((part) => part.PartNumber), [10]);
  assert(!second.IsTruncated);
  await abort(s3, upload);
  assertEquals(await errorOf(list()), "404 NoSuchUpload");
}

async function checksumsAreKept(s3: S3Client): Promise<void> {
  const key = "in/sums.jsonl";
  const upload = await createUpload(s3, BUCKET, key, {
    ChecksumAlgorithm: "CRC32",
  });
  const part = await uploadPart(s3, upload, 1, RECORDS.openai);
  assertMatch(part.ChecksumCRC32 ?? "", /^.{6}==$/);
  const wrong = { ...part, ChecksumCRC32: "AAAAAA==" };
  assertEquals(
    await errorOf(completeUpload(s3, upload, [wrong])),
    "400 InvalidPart",
  );
  const done = await completeUpload(s3, upload, [part]);
  assertMatch(done.ChecksumCRC32 ?? "", /^.{6}==-1$/);
  assertEquals(done.ChecksumType, "COMPOSITE");
  const head = await s3.send(
    new HeadObjectCommand({
      Bucket: BUCKET,
      Key: key,
      ChecksumMode: "ENABLED",
    }),
  );
  assertEquals(head.ChecksumCRC32, done.ChecksumCRC32);
  assertEquals(head.ChecksumType, "COMPOSITE");
  // The SDK verifies what it downloads, and must not trip over this one.
  assertEquals(await readObject(s3, BUCKET, key), utf8(RECORDS.openai));
}

async function partsAreCopied(s3: S3Client): Promise<void> {
  const record = RECORDS.openai;
  const source = { Bucket: BUCKET, Key: "parts/from.jsonl" };
  await s3.send(new PutObjectCommand({ ...source, Body: largePart(record) }));
  const upload = await createUpload(s3, BUCKET, "parts/to.jsonl");
  const copyPart = (number: number, range?: string) =>
    s3.send(
      new UploadPartCopyCommand({
        Bucket: BUCKET,
        Key: upload.key,
        UploadId: upload.uploadId,
        PartNumber: number,
        CopySource: `${source.Bucket}/${source.Key}`,
        CopySourceRange: range,
      }),
    );
  const whole = await copyPart(1);
  const range = await copyPart(2, `bytes=0-${record.length - 1}`);
  assertEquals(range.CopyPartResult?.ETag, `"${md5(record)}"`);
  assertEquals(
    await errorOf(copyPart(3, `bytes=0-${PART_BYTES}`)),
    "400 InvalidArgument",
  );
  await completeUpload(s3, upload, [
    { PartNumber: 1, ETag: whole.CopyPartResult?.ETag },
    { PartNumber: 2, ETag: range.CopyPartResult?.ETag },
  ]);
  assertEquals(
    sha256(await readObject(s3, BUCKET, upload.key)),
    sha256(largePart(record), utf8(record)),
  );
}
