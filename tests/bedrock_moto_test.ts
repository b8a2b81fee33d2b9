import { assert, assertEquals, assertRejects } from "@std/assert";
import { crc32 } from "node:zlib";
import type { ObjectRequest, ObjectResponse } from "../src/domain/driver.ts";
import { GatewayError } from "../src/domain/failure.ts";
import {
  type BedrockDriver,
  createBedrockDriver,
} from "../src/drivers/bedrock/driver.ts";
import { createS3ObjectStore } from "../src/object_store/s3_store.ts";
import { MotoServer } from "./support/moto_server.ts";
import {
  type RunningStore,
  testObjectStore,
} from "./support/object_store_suite.ts";

/**
 * The parts that speak S3, before an S3 server that nobody here has written.
 * `deno task test` names the Python that has it.
 */

const PYTHON = Deno.env.get("FINOPS_TEST_PYTHON") ?? null;
const REGION = "us-west-2";
const CREDENTIALS = { accessKeyId: "moto", secretAccessKey: "moto" };
const BUCKET = "files";
const MIB = 1024 * 1024;

const MOTO = PYTHON === null ? null : await MotoServer.start(PYTHON);
Deno.test.afterAll(async () => {
  await MOTO?.[Symbol.asyncDispose]();
});

testObjectStore({
  name: "S3 object store on moto",
  ignore: PYTHON === null,
  async open(): Promise<RunningStore> {
    (await openDriver()).close();
    const store = createS3ObjectStore({
      bucket: BUCKET,
      prefix: "store",
      region: REGION,
      endpoint: urlOf(MOTO),
      credentials: CREDENTIALS,
    });
    return {
      store,
      async [Symbol.asyncDispose](): Promise<void> {
        await store.close();
      },
    };
  },
});

function motoTest(
  name: string,
  check: (driver: BedrockDriver) => Promise<void>,
): void {
  Deno.test({
    name: `bedrock driver on moto: ${name}`,
    ignore: PYTHON === null,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const driver = await openDriver();
      try {
        await check(driver);
      } finally {
        driver.close();
      }
    },
  });
}

motoTest("objects under any key come back as they were put", async (driver) => {
  const keys = [
    { rawKey: "plain", key: "plain" },
    { rawKey: "a/../b//c/./d", key: "a/../b//c/./d" },
    { rawKey: "a%20b%2Bc/%C3%BC%26%28x%29", key: "a b+c/ü&(x)" },
    { rawKey: "(un)encoded!*'", key: "(un)encoded!*'" },
  ];
  for (const { rawKey, key } of keys) {
    const bytes = new TextEncoder().encode(`content of ${key}`);
    const headers = { "content-type": "text/x-a", "x-amz-meta-k": "v" };
    const put = await forward(
      driver,
      { method: "PUT", rawKey, headers },
      bytes,
    );
    assertEquals(put.status, 200);

    const got = await forward(driver, { rawKey });
    assertEquals(got.bytes, bytes);
    assertEquals(got.headers["content-type"], "text/x-a");
    assertEquals(got.headers["x-amz-meta-k"], "v");
    assertEquals(got.headers["etag"], put.headers["etag"]);

    const head = await forward(driver, { method: "HEAD", rawKey });
    assertEquals(head.headers["content-length"], String(bytes.length));
    const address = { bucket: BUCKET, key };
    const { sizeBytes } = await driver.storage.headObject(newCall(), address);
    assertEquals(sizeBytes, bytes.length);
  }
  const prefix = { bucket: BUCKET, key: "" };
  const listed = await Array.fromAsync(
    driver.storage.listObjects(newCall(), prefix),
  );
  assertEquals(
    listed.map(({ key }) => key),
    keys.map(({ key }) => key).sort(),
  );
});

motoTest("bodies with and without a trailer are whole", async (driver) => {
  for (const sizeBytes of [0, 1, 70_001, MIB, 3 * MIB + 7]) {
    const bytes = new Uint8Array(sizeBytes).map((_, index) => index % 251);
    const trailer = {
      name: "x-amz-checksum-crc32",
      value: () => encodeCrc32(bytes),
    };
    for (const extra of [{}, { trailer }]) {
      const put = await forward(
        driver,
        { method: "PUT", headers: { "x-amz-sdk-checksum-algorithm": "CRC32" } },
        bytes,
        extra,
      );
      assertEquals(put.status, 200, new TextDecoder().decode(put.bytes));
      assertEquals((await forward(driver, {})).bytes, bytes);
    }
  }
});

motoTest("ranges and conditions are S3's", async (driver) => {
  await forward(driver, { method: "PUT" }, new TextEncoder().encode("abcdef"));
  const part = await forward(driver, { headers: { range: "bytes=1-3" } });
  assertEquals(
    [part.status, text(part), part.headers["content-range"]],
    [206, "bcd", "bytes 1-3/6"],
  );
  const odd = await forward(driver, { headers: { range: "bytes=9-" } });
  assertEquals([odd.status, codeOf(odd)], [416, "InvalidRange"]);
  const failed = await forward(driver, { headers: { "if-match": '"x"' } });
  assertEquals([failed.status, codeOf(failed)], [412, "PreconditionFailed"]);
  const { headers: { etag = "" } } = await forward(driver, { method: "HEAD" });
  const same = await forward(driver, { headers: { "if-none-match": etag } });
  assertEquals([same.status, text(same)], [304, ""]);
});

motoTest("S3's own errors come back", async (driver) => {
  const cases = [
    { change: { rawKey: "nothing" }, want: [404, "NoSuchKey"] },
    { change: { bucket: "no-such-bucket" }, want: [404, "NoSuchBucket"] },
  ];
  for (const { change, want } of cases) {
    const response = await forward(driver, change);
    assertEquals([response.status, codeOf(response)], want);
  }
  const head = await forward(driver, { method: "HEAD", rawKey: "nothing" });
  assertEquals([head.status, text(head)], [404, ""]);
});

motoTest("a large upload to nowhere ends with S3's error", async (driver) => {
  const sizeBytes = 64 * MIB;
  let leftBytes = sizeBytes;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (leftBytes === 0) return controller.close();
      controller.enqueue(new Uint8Array(MIB));
      leftBytes -= MIB;
    },
  }, { highWaterMark: 0 });
  const response = await driver.storage.forward(newCall(), {
    ...REQUEST,
    method: "PUT",
    bucket: "no-such-bucket",
    body: { stream, sizeBytes },
  });
  assertEquals(response.status, 404);
  await response.body?.cancel();
});

motoTest("a body that errors leaves no object", async (driver) => {
  const failure = new GatewayError({ kind: "payload_hash_mismatch" }, "bad");
  for (const sizeBytes of [0, 10, 5 * MIB]) {
    let leftBytes = sizeBytes;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (leftBytes === 0) return controller.error(failure);
        controller.enqueue(new Uint8Array(Math.min(leftBytes, 64 * 1024)));
        leftBytes -= Math.min(leftBytes, 64 * 1024);
      },
    }, { highWaterMark: 0 });
    const error = await assertRejects(() =>
      driver.storage.forward(newCall(), {
        ...REQUEST,
        method: "PUT",
        body: { stream, sizeBytes },
      })
    );
    assertEquals(error, failure);
  }
  const response = await forward(driver, {});
  assertEquals([response.status, codeOf(response)], [404, "NoSuchKey"]);
});

motoTest("a multipart upload goes through, in any order", async (driver) => {
  const created = await forward(driver, {
    method: "POST",
    query: [["uploads", ""]],
  });
  const uploadId = /<UploadId>([^<]+)/.exec(text(created))?.[1] ?? "";
  const parts = [new Uint8Array(5 * MIB).fill(1), new Uint8Array(3).fill(2)];
  const etags: string[] = [];
  for (const index of [1, 0]) {
    const { headers } = await forward(
      driver,
      {
        method: "PUT",
        query: [["partNumber", String(index + 1)], ["uploadId", uploadId]],
      },
      parts[index] ?? new Uint8Array(0),
    );
    etags[index] = headers["etag"] ?? "";
  }
  const list = etags.map((etag, index) =>
    `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`
  );
  const completed = await forward(
    driver,
    { method: "POST", query: [["uploadId", uploadId]] },
    new TextEncoder().encode(
      `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`,
    ),
  );
  assertEquals(completed.status, 200);
  const { bytes } = await forward(driver, {});
  assertEquals(bytes.length, 5 * MIB + 3);
  assert(bytes.every((byte, index) => byte === (index < 5 * MIB ? 1 : 2)));
});

// ------------------------------------------------------------------ steps

const REQUEST: ObjectRequest = {
  method: "GET",
  bucket: BUCKET,
  rawKey: "key",
  query: [],
  headers: {},
  body: null,
};

interface Whole extends ObjectResponse {
  readonly bytes: Uint8Array;
}

async function forward(
  driver: BedrockDriver,
  change: Partial<ObjectRequest>,
  bytes?: Uint8Array,
  extra: Pick<NonNullable<ObjectRequest["body"]>, "trailer"> = {},
): Promise<Whole> {
  const body = bytes === undefined ? null : {
    stream: new Blob([new Uint8Array(bytes)]).stream(),
    sizeBytes: bytes.length,
    ...extra,
  };
  const request = { ...REQUEST, ...change, body };
  const response = await driver.storage.forward(newCall(), request);
  return { ...response, bytes: await new Response(response.body).bytes() };
}

/** A driver before a server where nothing is but one bucket. */
async function openDriver(): Promise<BedrockDriver> {
  await MOTO?.reset();
  const driver = createBedrockDriver({
    region: REGION,
    s3Endpoint: urlOf(MOTO),
    bedrockEndpoint: null,
    batchRoleArn: null,
    credentials: CREDENTIALS,
  });
  const location = "<CreateBucketConfiguration><LocationConstraint>" +
    `${REGION}</LocationConstraint></CreateBucketConfiguration>`;
  const created = await forward(
    driver,
    { method: "PUT", rawKey: null },
    new TextEncoder().encode(location),
  );
  assertEquals(created.status, 200);
  return driver;
}

function urlOf(moto: MotoServer | null): string {
  if (moto === null) throw new Error("FINOPS_TEST_PYTHON is not set");
  return moto.url;
}

function newCall(): { requestId: string; signal: AbortSignal } {
  return { requestId: "r", signal: new AbortController().signal };
}

function text({ bytes }: Whole): string {
  return new TextDecoder().decode(bytes);
}

function codeOf(response: Whole): string | undefined {
  return /<Code>([^<]+)/.exec(text(response))?.[1];
}

function encodeCrc32(bytes: Uint8Array): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, crc32(bytes));
  return new Uint8Array(view.buffer).toBase64();
}
