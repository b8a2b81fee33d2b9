/** CopyObject as the AWS SDK does it, within providers and between them. */
import {
  CopyObjectCommand,
  type CopyObjectCommandInput,
  type CopyObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { md5, readObject, RECORDS, utf8 } from "./support/multipart.ts";
import { errorOf, SandboxedGateway } from "./support/sandboxed_gateway.ts";

const BUCKET = "any-bucket";
/** The S3 simulator's own. */
const REAL_BUCKET = "your-s3-bucket";
/** By configuration, wherever a call itself goes. */
const OPENAI_BUCKET = "openai-files";

const FAILED = "412 PreconditionFailed";

Deno.test("copies, as the AWS SDK does them", async (t) => {
  await using gateway = await SandboxedGateway.start({
    FINOPS_BUCKETS: `${OPENAI_BUCKET}=openai`,
  });
  const openai = gateway.client("openai");
  const gemini = gateway.client("gemini");
  const bedrock = gateway.client("bedrock");
  await t.step(
    "a copy is a file of its own, described as its source",
    () => copyIsDescribed(openai),
  );
  await t.step(
    "a copy may be described anew, also onto itself",
    () => copyIsDescribedAnew(openai),
  );
  await t.step(
    "conditions on source and destination hold",
    () => conditionsHold(openai),
  );
  await t.step("out of real S3 into openai", () => fromS3(bedrock, openai));
  await t.step(
    "out of openai into gemini, which keeps it",
    () => intoGemini(openai, gemini),
  );
  await t.step("out of openai into real S3", () => intoS3(openai, bedrock));
  await t.step(
    "what Gemini never hands back is not copied",
    () => geminiIsNotCopied(gemini),
  );
});

function copy(
  s3: S3Client,
  source: string,
  key: string,
  input: Partial<CopyObjectCommandInput> = {},
): Promise<CopyObjectCommandOutput> {
  return s3.send(
    new CopyObjectCommand({
      Bucket: BUCKET,
      Key: key,
      CopySource: source,
      ...input,
    }),
  );
}

function head(
  s3: S3Client,
  bucket: string,
  key: string,
): Promise<HeadObjectCommandOutput> {
  return s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
}

/** Puts OpenAI's record; returns its ETag and its name as a copy source. */
async function put(
  s3: S3Client,
  bucket: string,
  key: string,
  input: Partial<PutObjectCommandInput> = {},
): Promise<{ etag: string; source: string }> {
  const { ETag: etag = "" } = await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: RECORDS.openai,
      ...input,
    }),
  );
  return { etag, source: `${bucket}/${encodeURIComponent(key)}` };
}

async function copyIsDescribed(s3: S3Client): Promise<void> {
  const { etag, source } = await put(s3, BUCKET, "from ü+/a b.jsonl", {
    Metadata: { who: "me" },
    ContentType: "text/x",
  });
  const { CopyObjectResult: result } = await copy(s3, source, "to.jsonl");
  assertMatch(result?.ETag ?? "", /^"file-[A-Za-z0-9]+"$/);
  assert(result?.ETag !== etag);
  assert(result?.LastModified instanceof Date);
  const kept = await head(s3, BUCKET, "to.jsonl");
  assertEquals(kept.ETag, result?.ETag);
  assertEquals([kept.Metadata, kept.ContentType], [{ who: "me" }, "text/x"]);
  assertEquals(
    await readObject(s3, BUCKET, "to.jsonl"),
    utf8(RECORDS.openai),
  );
  assertEquals(
    await errorOf(copy(s3, `${BUCKET}/nothing-here`, "x")),
    "404 NoSuchKey",
  );
}

async function copyIsDescribedAnew(s3: S3Client): Promise<void> {
  const key = "anew/a.jsonl";
  const { source } = await put(s3, BUCKET, key, { Metadata: { who: "me" } });
  await copy(s3, source, "anew/b.jsonl", {
    MetadataDirective: "REPLACE",
    Metadata: { now: "you" },
    ChecksumAlgorithm: "SHA256",
  });
  const replaced = await head(s3, BUCKET, "anew/b.jsonl");
  assertEquals(replaced.Metadata, { now: "you" });
  assertEquals(await errorOf(copy(s3, source, key)), "400 InvalidRequest");
  await copy(s3, source, key, {
    MetadataDirective: "REPLACE",
    Metadata: { again: "me" },
  });
  assertEquals((await head(s3, BUCKET, key)).Metadata, { again: "me" });
}

async function conditionsHold(s3: S3Client): Promise<void> {
  const { etag, source } = await put(s3, BUCKET, "if/a.jsonl");
  const refused = (input: Partial<CopyObjectCommandInput>) =>
    errorOf(copy(s3, source, "if/b.jsonl", input));
  const later = new Date("2099-01-01");
  assertEquals(await refused({ CopySourceIfMatch: '"nope"' }), FAILED);
  assertEquals(await refused({ CopySourceIfNoneMatch: etag }), FAILED);
  assertEquals(await refused({ CopySourceIfModifiedSince: later }), FAILED);
  await copy(s3, source, "if/b.jsonl", {
    CopySourceIfMatch: etag,
    IfNoneMatch: "*",
  });
  assertEquals(await refused({ IfNoneMatch: "*" }), FAILED);
}

async function fromS3(bedrock: S3Client, openai: S3Client): Promise<void> {
  const { source } = await put(bedrock, REAL_BUCKET, "cross/a b+ü.jsonl", {
    Metadata: { from: "s3" },
  });
  await copy(openai, source, "cross/openai.jsonl");
  const copied = await head(openai, BUCKET, "cross/openai.jsonl");
  assertMatch(copied.ETag ?? "", /^"file-/);
  assertEquals(copied.Metadata, { from: "s3" });
  const refused = copy(openai, source, "cross/never.jsonl", {
    CopySourceIfMatch: '"nope"',
  });
  assertEquals(await errorOf(refused), FAILED);
}

/** OpenAI's records wait with the gateway until a job translates them. */
async function intoGemini(openai: S3Client, gemini: S3Client): Promise<void> {
  const { source } = await put(openai, OPENAI_BUCKET, "a.jsonl");
  await copy(gemini, source, "cross/gemini.jsonl");
  assertEquals(
    await readObject(gemini, BUCKET, "cross/gemini.jsonl"),
    utf8(RECORDS.openai),
  );
}

async function intoS3(openai: S3Client, bedrock: S3Client): Promise<void> {
  const { source } = await put(openai, OPENAI_BUCKET, "b.jsonl", {
    Metadata: { from: "openai" },
    ContentType: "application/jsonl",
  });
  const into = { Bucket: REAL_BUCKET };
  const key = "cross/back.jsonl";
  const { CopyObjectResult: result } = await copy(bedrock, source, key, into);
  assertEquals(result?.ETag, `"${md5(RECORDS.openai)}"`);
  const back = await head(bedrock, REAL_BUCKET, key);
  assertEquals(back.Metadata, { from: "openai" });
  assertEquals(back.ContentType, "application/jsonl");
  const again = copy(bedrock, source, key, { ...into, IfNoneMatch: "*" });
  assertEquals(await errorOf(again), FAILED);
  await copy(bedrock, source, key, {
    ...into,
    MetadataDirective: "REPLACE",
    Metadata: { now: "you" },
  });
  const replaced = await head(bedrock, REAL_BUCKET, key);
  assertEquals(replaced.Metadata, { now: "you" });
}

async function geminiIsNotCopied(gemini: S3Client): Promise<void> {
  const { source } = await put(gemini, BUCKET, "gone/a.jsonl", {
    Body: RECORDS.gemini,
  });
  assertEquals(
    await errorOf(copy(gemini, source, "gone/b.jsonl")),
    "403 InvalidObjectState",
  );
}
