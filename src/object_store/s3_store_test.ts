import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectStore } from "../domain/object_store.ts";
import { createS3ObjectStore } from "./s3_store.ts";

const MIB = 1024 * 1024;

interface Scene {
  readonly store: ObjectStore;
  /** Method and target of every request, in order. */
  readonly asked: readonly string[];
}

/** The store before an S3 server that answers what it is told to. */
function s3Test(
  name: string,
  answer: (asked: string, request: Request) => Response,
  check: (scene: Scene) => Promise<void>,
): void {
  Deno.test({
    name: `S3 object store: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const asked: string[] = [];
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async (request) => {
          const origin = new URL(request.url).origin;
          const line = `${request.method} ${request.url.slice(origin.length)}`;
          asked.push(line);
          await request.body?.pipeTo(new WritableStream());
          return answer(line, request);
        },
      );
      const store = createS3ObjectStore({
        bucket: "bucket",
        prefix: "/a prefix/",
        region: "us-west-2",
        endpoint: `http://127.0.0.1:${server.addr.port}`,
        credentials: { accessKeyId: "a", secretAccessKey: "b" },
      });
      try {
        await check({ store, asked });
      } finally {
        await store.close();
      }
    },
  });
}

// ----------------------------------------------------------------- uploads

/** Everything succeeds. */
function succeed(asked: string): Response {
  if (asked.includes("?uploads")) {
    return xml(
      "<InitiateMultipartUploadResult><UploadId>u1</UploadId>" +
        "</InitiateMultipartUploadResult>",
    );
  }
  if (asked.startsWith("POST")) {
    return xml("<CompleteMultipartUploadResult/>");
  }
  return new Response(null, { headers: { etag: '"e"' } });
}

s3Test(
  "one part is one PutObject, below the prefix",
  succeed,
  async ({ store, asked }) => {
    await store.put("k/1", new Blob([new Uint8Array(8 * MIB)]).stream());
    assertEquals(withoutIds(asked), ["PUT /bucket/a%20prefix/k/1"]);
  },
);

s3Test(
  "more is sent part by part, and then completed",
  succeed,
  async ({ store, asked }) => {
    await store.put("k", new Blob([new Uint8Array(16 * MIB + 1)]).stream());
    assertEquals(withoutIds(asked), [
      "POST /bucket/a%20prefix/k?uploads=",
      "PUT /bucket/a%20prefix/k?partNumber=1&uploadId=u1",
      "PUT /bucket/a%20prefix/k?partNumber=2&uploadId=u1",
      "PUT /bucket/a%20prefix/k?partNumber=3&uploadId=u1",
      "POST /bucket/a%20prefix/k?uploadId=u1",
    ]);
  },
);

s3Test(
  "an upload whose body errors is aborted, never completed",
  succeed,
  async ({ store, asked }) => {
    let leftBytes = 9 * MIB;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (leftBytes <= 0) return controller.error(new Error("gone"));
        controller.enqueue(new Uint8Array(MIB));
        leftBytes -= MIB;
      },
    });
    await assertRejects(() => store.put("k", body), GatewayError);
    assertEquals(
      withoutIds(asked).at(-1),
      "DELETE /bucket/a%20prefix/k?uploadId=u1",
    );
    assert(
      !asked.some((line) => line.startsWith("POST") && line.includes("u1")),
    );
  },
);

s3Test(
  "an upload that S3 refuses half way is aborted",
  (asked) =>
    asked.includes("partNumber=2")
      ? failure(403, "AccessDenied")
      : succeed(asked),
  async ({ store, asked }) => {
    const body = new Blob([new Uint8Array(17 * MIB)]).stream();
    await assertRejects(() => store.put("k", body), GatewayError);
    assertEquals(
      withoutIds(asked).at(-1),
      "DELETE /bucket/a%20prefix/k?uploadId=u1",
    );
  },
);

s3Test(
  "probe() aborts uploads that were abandoned, and no others",
  (asked) =>
    asked.startsWith("GET") && asked.includes("uploads")
      ? xml(
        "<ListMultipartUploadsResult>" +
          uploadEntry("old", Date.now() - 25 * 3_600_000) +
          uploadEntry("new", Date.now() - 60_000) +
          "</ListMultipartUploadsResult>",
      )
      : succeed(asked),
  async ({ store, asked }) => {
    await store.probe();
    assertEquals(
      withoutIds(asked).filter((line) => line.includes("uploadId=")),
      ["DELETE /bucket/a%20prefix/old?uploadId=old"],
    );
  },
);

s3Test(
  "probe() does without the list of uploads",
  (asked) =>
    asked.startsWith("GET") ? failure(501, "NotImplemented") : succeed(asked),
  async ({ store }) => {
    await store.probe();
  },
);

// ---------------------------------------------------------------- failures

for (
  const { code, status, kind } of [
    { code: "AccessDenied", status: 403, kind: "upstream_unavailable" },
    { code: "InvalidAccessKeyId", status: 403, kind: "upstream_unavailable" },
    { code: "NoSuchBucket", status: 404, kind: "upstream_unavailable" },
    { code: "QuotaExceeded", status: 403, kind: "storage_full" },
    { code: "XMinioStorageFull", status: 507, kind: "storage_full" },
  ]
) {
  s3Test(
    `${code} is the gateway's own trouble: ${kind}`,
    () => failure(status, code),
    async ({ store }) => {
      const calls = [
        () => store.put("k", new Blob(["x"]).stream()),
        () => store.open("k"),
        () => store.delete("k"),
        () => Array.fromAsync(store.list("")),
      ];
      for (const call of calls) {
        const error = await assertRejects(call, GatewayError);
        assertEquals(error.failure.kind, kind);
      }
      const probed = await assertRejects(() => store.probe(), GatewayError);
      assert(probed.message.includes("FINOPS_OBJECT_STORE"), probed.message);
    },
  );
}

Deno.test("S3 object store: a server that is not there is unavailable", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const store = createS3ObjectStore({
    bucket: "bucket",
    prefix: "",
    region: "us-west-2",
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
  const error = await assertRejects(() => store.head("k"), GatewayError);
  assertEquals(error.failure, { kind: "upstream_unavailable" });
  await store.close();
});

// ------------------------------------------------------------------- steps

/** The SDK names the operation in a parameter that S3 ignores. */
function withoutIds(asked: readonly string[]): string[] {
  return asked.map((line) =>
    line.replace(/([?&])x-id=\w+&?/, "$1")
      .replace(/[?&]$/, "")
  );
}

function uploadEntry(name: string, initiatedAtMs: number): string {
  return `<Upload><Key>a prefix/${name}</Key><UploadId>${name}</UploadId>` +
    `<Initiated>${new Date(initiatedAtMs).toISOString()}</Initiated></Upload>`;
}

function failure(status: number, code: string): Response {
  return xml(
    `<Error><Code>${code}</Code><Message>no</Message></Error>`,
    status,
  );
}

function xml(text: string, status = 200): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${text}`, {
    status,
    headers: { "content-type": "application/xml" },
  });
}
