/**
 * Multipart uploads in parallel, with the gateway killed in their midst: what
 * was acknowledged is intact, the rest can be completed or aborted, and nothing
 * is left over. FINOPS_TEST_FULL=1 does it with 200 uploads, else with 60.
 */
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { assert, assertEquals } from "@std/assert";
import {
  completeUpload,
  createUpload,
  type FileProvider,
  largePart,
  readObject,
  RECORDS,
  sha256,
  uploadPart,
  type UploadPlace,
  utf8,
} from "./support/multipart.ts";
import { UploadBench } from "./support/upload_bench.ts";

const FULL = Deno.env.get("FINOPS_TEST_FULL") === "1";
const UPLOADS = FULL ? 200 : 60;
const BUCKET = "kill-bucket";

/** How many have been acknowledged when the gateway is killed. */
const KILLS = [Math.floor(UPLOADS / 4), Math.floor(UPLOADS / 2)];

/** One upload, and what its client knows of it. */
interface Attempt {
  readonly provider: FileProvider;
  readonly key: string;
  /** The parts' contents, in order. */
  readonly contents: readonly Uint8Array[];
  /** What its client does after a kill. */
  readonly fate: "complete" | "abort";
  place: UploadPlace | null;
  /** The acknowledged object's. */
  etag: string | null;
  aborted: boolean;
}

Deno.test("uploads survive kills of the gateway, and leave nothing over", async () => {
  await using bench = await UploadBench.start();
  const attempts = makeAttempts();
  await runUntilKilled(bench, attempts, KILLS[0] ?? 1, begin);
  await runUntilKilled(bench, attempts, KILLS[1] ?? 1, goOn);
  const unfinished = attempts.filter((attempt) => !isOver(attempt));
  assert(unfinished.length > 0, "the kills came too late");
  await Promise.all(
    unfinished.map((it) => goOn(bench.client(it.provider), it)),
  );
  assertEquals(attempts.filter((attempt) => !isOver(attempt)), []);
  const named = attempts.filter(({ etag }) => etag !== null);
  for (const attempt of named) await checkIntact(bench, attempt);
  for (const attempt of attempts) await checkAborted(bench, attempt);
  await abortForgotten(bench, attempts);
  await bench.stopAndSweep();
  assertEquals(await bench.stored(), []);
  for (const provider of ["openai", "gemini"] as const) {
    assertEquals(
      [...(await bench.remoteFiles(provider)).keys()].sort(),
      named.filter((it) => it.provider === provider)
        .map(({ etag }) => etag ?? "").sort(),
    );
  }
});

function makeAttempts(): Attempt[] {
  const large = { openai: parts("openai"), gemini: parts("gemini") };
  return Array.from({ length: UPLOADS }, (_, i) => {
    const provider = i % 2 === 0 ? "openai" : "gemini";
    return {
      provider,
      key: `kill/${i}.jsonl`,
      contents: [...large[provider], utf8(RECORDS[provider].repeat(i + 1))],
      fate: i % 3 === 0 ? "abort" : "complete",
      place: null,
      etag: null,
      aborted: false,
    };
  });
}

/** Two different ones, so that their order shows. */
function parts(provider: FileProvider): Uint8Array[] {
  const second = largePart(RECORDS[provider]);
  second[1000] = 0x0a;
  return [largePart(RECORDS[provider]), second];
}

function isOver({ etag, aborted }: Attempt): boolean {
  return etag !== null || aborted;
}

/** Kills the gateway when `count` are acknowledged, and starts it again. */
async function runUntilKilled(
  bench: UploadBench,
  attempts: readonly Attempt[],
  count: number,
  run: (s3: S3Client, attempt: Attempt) => Promise<void>,
): Promise<void> {
  const reached = Promise.withResolvers<void>();
  const report = () => {
    if (attempts.filter(isOver).length >= count) reached.resolve();
  };
  const runs = attempts.filter((attempt) => !isOver(attempt)).map((attempt) =>
    run(bench.client(attempt.provider), attempt).then(report, report)
  );
  // A run that ends before that many have succeeded has something to tell.
  await Promise.race([reached.promise, Promise.all(runs)]);
  await bench.kill();
  await Promise.all(runs);
  await bench.restart();
}

async function begin(s3: S3Client, attempt: Attempt): Promise<void> {
  const { key, contents } = attempt;
  const place = await createUpload(s3, BUCKET, key);
  attempt.place = place;
  const uploaded = await Promise.all(
    contents.map((content, i) => uploadPart(s3, place, i + 1, content)),
  );
  attempt.etag = etagOf(await completeUpload(s3, place, uploaded));
}

/** What a client does that finds out how far it had come. */
async function goOn(s3: S3Client, attempt: Attempt): Promise<void> {
  const { place, fate } = attempt;
  if (place === null) return await begin(s3, attempt);
  if (fate === "abort") return await abort(s3, attempt, place);
  try {
    const uploaded = await missingParts(s3, place, attempt.contents);
    attempt.etag = etagOf(await completeUpload(s3, place, uploaded));
  } catch (error) {
    // It was complete, and only the answer got lost.
    if (!isNoSuchUpload(error)) throw error;
    attempt.etag = etagOf(await head(s3, attempt));
  }
}

/** Uploads what is not there; returns all parts. */
async function missingParts(
  s3: S3Client,
  place: UploadPlace,
  contents: readonly Uint8Array[],
): Promise<CompletedPart[]> {
  const { bucket, key, uploadId } = place;
  const { Parts: listed = [] } = await s3.send(
    new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId }),
  );
  return await Promise.all(contents.map((content, i) => {
    const there = listed.find(({ PartNumber }) => PartNumber === i + 1);
    if (there === undefined) return uploadPart(s3, place, i + 1, content);
    return { PartNumber: i + 1, ETag: there.ETag };
  }));
}

async function abort(
  s3: S3Client,
  attempt: Attempt,
  { bucket, key, uploadId }: UploadPlace,
): Promise<void> {
  try {
    await s3.send(
      new AbortMultipartUploadCommand({
        Bucket: bucket,
        Key: key,
        UploadId: uploadId,
      }),
    );
    attempt.aborted = true;
  } catch (error) {
    if (!isNoSuchUpload(error)) throw error;
    // Complete already, or aborted by a call whose answer got lost.
    attempt.etag = await head(s3, attempt).then(etagOf, () => null);
    attempt.aborted = attempt.etag === null;
  }
}

function head(s3: S3Client, { key }: Attempt) {
  return s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }));
}

function isNoSuchUpload(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === "NoSuchUpload";
}

function etagOf({ ETag }: { ETag?: string | undefined }): string {
  return (ETag ?? "").replaceAll('"', "");
}

async function checkIntact(
  bench: UploadBench,
  attempt: Attempt,
): Promise<void> {
  const { provider, key, contents, etag } = attempt;
  const s3 = bench.client(provider);
  assertEquals(etagOf(await head(s3, attempt)), etag);
  // Gemini hands no upload back, but tells its digest.
  const found = provider === "openai"
    ? sha256(await readObject(s3, BUCKET, key))
    : (await bench.remoteFiles(provider)).get(etag ?? "");
  assertEquals(found, sha256(...contents), key);
}

async function checkAborted(
  bench: UploadBench,
  attempt: Attempt,
): Promise<void> {
  if (!attempt.aborted) return;
  const found = await head(bench.client(attempt.provider), attempt)
    .then(() => "there", () => "gone");
  assertEquals(found, "gone", attempt.key);
}

/** Uploads whose clients never learnt of them: their answer got lost. */
async function abortForgotten(
  bench: UploadBench,
  attempts: readonly Attempt[],
): Promise<void> {
  const known = new Set(attempts.map(({ place }) => place?.uploadId));
  for (const provider of ["openai", "gemini"] as const) {
    const s3 = bench.client(provider);
    const { Uploads: uploads = [] } = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: BUCKET }),
    );
    for (const { Key, UploadId } of uploads) {
      assert(!known.has(UploadId), `${Key} is still open`);
      await s3.send(
        new AbortMultipartUploadCommand({ Bucket: BUCKET, Key, UploadId }),
      );
    }
  }
}
