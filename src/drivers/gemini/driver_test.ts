import { assert, assertEquals, assertRejects } from "@std/assert";
import type {
  BatchApi,
  DriverCall,
  FileStorage,
  RemoteBatch,
} from "../../domain/driver.ts";
import { type FailureKind, GatewayError } from "../../domain/failure.ts";
import { createGeminiDriver } from "./driver.ts";
import { checkedModelPath, toFoundationModel } from "./models.ts";

/** What Google's servers, and others of this API, do now and then. */

const KEY = "AIza-test-key";
const MIB = 1024 * 1024;

type Handler = (request: Request, url: URL) => Response | Promise<Response>;

async function withServer(
  handler: Handler,
  use: (storage: FileStorage, batches: BatchApi) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => handler(request, new URL(request.url)),
  );
  const driver = createGeminiDriver({
    apiKey: KEY,
    baseUrl: `http://127.0.0.1:${server.addr.port}/`,
  });
  const { storage, batches } = driver;
  try {
    if (storage.kind !== "files" || batches.kind !== "batches") {
      throw new Error("the driver has neither files nor batches");
    }
    await use(storage, batches);
  } finally {
    driver.close();
  }
}

function newCall(): DriverCall {
  return { requestId: "r", signal: new AbortController().signal };
}

async function failureOf(work: () => Promise<unknown>): Promise<FailureKind> {
  const error: GatewayError = await assertRejects(work, GatewayError);
  return error.failure.kind;
}

function fileJson(change: object = {}): object {
  return {
    name: "files/abc",
    displayName: "x.jsonl",
    mimeType: "application/jsonl",
    sizeBytes: "5",
    createTime: "2026-01-02T03:04:05Z",
    state: "ACTIVE",
    source: "UPLOADED",
    ...change,
  };
}

function googleError(code: number, message: string): Response {
  return Response.json({ error: { code, message } }, { status: code });
}

// -------------------------------------------------------------- downloads

for (const known of ["/v1beta/", "/download/v1beta/"]) {
  Deno.test(`gemini: content is found under ${known}`, async () => {
    await withServer((_request, url) => {
      const path = `${known}files/abc:download`;
      assertEquals(url.searchParams.get("alt"), "media");
      return url.pathname === path
        ? new Response('{"key":"1"}\n')
        : googleError(404, "Not found.");
    }, async (storage) => {
      const body = await storage.openFile(newCall(), "abc");
      assertEquals(await new Response(body).text(), '{"key":"1"}\n');
    });
  });
}

Deno.test("gemini: a redirect is followed, and the key stays at home", async () => {
  let keyElsewhere: string | null = "unasked";
  await using elsewhere = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      keyElsewhere = request.headers.get("x-goog-api-key");
      return new Response("content");
    },
  );
  const target = `http://127.0.0.1:${elsewhere.addr.port}/x`;
  await withServer((request) => {
    assertEquals(request.headers.get("x-goog-api-key"), KEY);
    return new Response(null, { status: 302, headers: { location: target } });
  }, async (storage) => {
    const body = await storage.openFile(newCall(), "abc");
    assertEquals(await new Response(body).text(), "content");
  });
  assertEquals(keyElsewhere, null);
});

for (
  const { name, file, want } of [
    {
      name: "uploaded",
      file: () => Response.json(fileJson()),
      want: "invalid_object_state",
    },
    {
      name: "its own",
      file: () => Response.json(fileJson({ source: "GENERATED" })),
      want: "invalid_request",
    },
    {
      name: "nobody's",
      file: () =>
        googleError(403, "You do not have permission or it may not exist."),
      want: "no_such_key",
    },
  ]
) {
  Deno.test(`gemini: a refused download of a file that is ${name} is ${want}`, async () => {
    await withServer(
      (_request, url) =>
        url.pathname.endsWith(":download")
          ? googleError(400, "Not allowed.")
          : file(),
      async (storage) => {
        const open = () => storage.openFile(newCall(), "abc");
        assertEquals(await failureOf(open), want);
      },
    );
  });
}

// ------------------------------------------------------- lists and batches

Deno.test("gemini: pages of files are followed, other files left out", async () => {
  await withServer((_request, url) => {
    assertEquals(url.searchParams.get("pageSize"), "100");
    return url.searchParams.get("pageToken") === "2"
      ? Response.json({
        files: [fileJson({ name: "files/c", source: "GENERATED" })],
      })
      : Response.json({
        files: [
          fileJson({ name: "files/a" }),
          fileJson({ name: "files/b", mimeType: "image/png", displayName: "" }),
        ],
        nextPageToken: "2",
      });
  }, async (storage) => {
    const pages = await Array.fromAsync(storage.listFiles(newCall()));
    assertEquals(
      pages.flat().map((file) => [file.id, file.purpose]),
      [["a", "input"], ["c", "output"]],
    );
  });
});

Deno.test("gemini: a list that never ends is left after a repeated token", async () => {
  let requests = 0;
  await withServer(() => {
    requests++;
    return Response.json({ files: [fileJson()], nextPageToken: "same" });
  }, async (storage) => {
    await Array.fromAsync(storage.listFiles(newCall()));
  });
  assertEquals(requests, 2);
});

Deno.test("gemini: an empty answer to a deletion is no failure", async () => {
  for (
    const response of [
      () => new Response(null, { status: 204 }),
      () => new Response("", { status: 200 }),
      () => Response.json({}),
      () => googleError(404, "gone"),
      () => googleError(403, "No permission, or it may not exist."),
    ]
  ) {
    let requests = 0;
    await withServer(() => {
      requests++;
      return response();
    }, (storage) => storage.deleteFile(newCall(), "abc"));
    assertEquals(requests, 1);
  }
});

Deno.test("gemini: a batch is started by file, and embeddings by their method", async () => {
  for (
    const { modelId, path } of [
      {
        modelId: "gemini-2.5-flash",
        path: "/v1beta/models/gemini-2.5-flash:batchGenerateContent",
      },
      {
        modelId: "models/gemini-embedding-001",
        path: "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent",
      },
    ]
  ) {
    await withServer(async (request, url) => {
      assertEquals(url.pathname, path);
      assertEquals(request.headers.get("x-goog-api-key"), KEY);
      assert(request.headers.has("content-length"));
      assertEquals(await request.json(), {
        batch: {
          displayName: "night finops:abcdefghijkl",
          inputConfig: { fileName: "files/in" },
        },
      });
      return Response.json({ name: "batches/b1", metadata: {} });
    }, async (_storage, batches) => {
      const batch = await batches.startBatch(newCall(), {
        jobId: "abcdefghijkl",
        jobName: "night",
        modelId,
        input: { kind: "file", fileId: "in" },
        endpoint: null,
        bedrock: null,
      });
      assertEquals([batch.id, batch.status], ["b1", "Submitted"]);
    });
  }
});

const INLINED = {
  name: "batches/b1",
  done: true,
  metadata: {
    state: "BATCH_STATE_SUCCEEDED",
    output: {
      inlinedResponses: {
        inlinedResponses: [
          { response: { text: "a" }, metadata: { key: "1" } },
          { error: { code: 3 }, metadata: { key: "2" } },
        ],
      },
    },
  },
};

Deno.test("gemini: results of inline requests become lines, each once", async () => {
  const response = INLINED.metadata.output;
  await withServer(
    () => Response.json({ ...INLINED, response }),
    async (_storage, batches) => {
      const batch: RemoteBatch = await batches.getBatch(newCall(), "b1");
      assertEquals(batch.outputFileIds, []);
      const results = await batches.openResults(newCall(), batch);
      assertEquals(
        await new Response(results).text(),
        '{"response":{"text":"a"},"metadata":{"key":"1"}}\n' +
          '{"error":{"code":3},"metadata":{"key":"2"}}\n',
      );
    },
  );
});

Deno.test("gemini: an ended batch without results gives no line", async () => {
  const metadata = { state: "BATCH_STATE_CANCELLED" };
  await withServer(
    () => Response.json({ name: "batches/b1", metadata }),
    async (_storage, batches) => {
      const batch = await batches.getBatch(newCall(), "b1");
      const results = await batches.openResults(newCall(), batch);
      assertEquals(await new Response(results).text(), "");
    },
  );
});

Deno.test("gemini: lists leave out what batches carry inline", async () => {
  const bulk = "x".repeat(40 * MIB);
  const inlinedResponses = [{ response: { text: bulk } }];
  const output = { inlinedResponses: { inlinedResponses } };
  const metadata = { state: "BATCH_STATE_SUCCEEDED", output };
  await withServer(
    () => Response.json({ operations: [{ name: "batches/b1", metadata }] }),
    async (_storage, batches) => {
      const pages = await Array.fromAsync(batches.listBatches(newCall()));
      assertEquals(pages.flat().map((batch) => batch.id), ["b1"]);
    },
  );
});

Deno.test("gemini: a day's quota is used up, a minute's is a rate", async () => {
  for (
    const { quotaId, want } of [
      { quotaId: "RequestsPerDayPerProject", want: "quota_exceeded" },
      { quotaId: "RequestsPerMinutePerProject", want: "rate_limited" },
    ] as const
  ) {
    const details = [{ violations: [{ quotaId }] }, { retryDelay: "5s" }];
    await withServer(
      () => Response.json({ error: { code: 429, details } }, { status: 429 }),
      async (_storage, batches) => {
        const get = () => batches.getBatch(newCall(), "b1");
        assertEquals(await failureOf(get), want);
      },
    );
  }
});

// ----------------------------------------------------------------- models

for (
  const { modelId, want } of [
    { modelId: "gemini-2.5-flash", want: "models/gemini-2.5-flash" },
    { modelId: "models/gemini-2.5-flash", want: "models/gemini-2.5-flash" },
    { modelId: "tunedModels/mine-1", want: "tunedModels/mine-1" },
    {
      modelId: "arn:aws:bedrock:us-east-1::foundation-model/gemini-2.5-pro",
      want: "models/gemini-2.5-pro",
    },
  ]
) {
  Deno.test(`checkedModelPath() takes ${modelId}`, () => {
    assertEquals(checkedModelPath(modelId), want);
  });
}

for (
  const { name, input, output } of [
    {
      name: "models/gemini-2.5-flash",
      input: ["TEXT", "IMAGE", "SPEECH", "VIDEO"],
      output: ["TEXT"],
    },
    {
      name: "models/gemini-embedding-001",
      input: ["TEXT"],
      output: ["EMBEDDING"],
    },
    {
      name: "models/imagen-4.0-generate-001",
      input: ["TEXT"],
      output: ["IMAGE"],
    },
    { name: "models/aqa", input: ["TEXT"], output: ["TEXT"] },
  ]
) {
  Deno.test(`gemini: the modalities of ${name} are known`, () => {
    const model = toFoundationModel({ name, displayName: null });
    assertEquals(model.modelId, name.slice("models/".length));
    assertEquals(model.inputModalities, input);
    assertEquals(model.outputModalities, output);
  });
}
