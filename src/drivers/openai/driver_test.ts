import { assert, assertEquals, assertRejects } from "@std/assert";
import type {
  DriverCall,
  FileStorage,
  ProviderDriver,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { createOpenAiDriver } from "./driver.ts";
import { toFoundationModel } from "./models.ts";

/** What other servers of OpenAI's API do, and OpenAI's own rarely does. */

type Handler = (request: Request, url: URL) => Response | Promise<Response>;

async function withServer(
  handler: Handler,
  use: (storage: FileStorage, driver: ProviderDriver) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => handler(request, new URL(request.url)),
  );
  const driver = createOpenAiDriver({
    apiKey: "sk-test-key",
    baseUrl: `http://127.0.0.1:${server.addr.port}/v1`,
    organization: "org-1",
    project: "proj-1",
  });
  try {
    assert(driver.storage.kind === "files");
    if (driver.storage.kind === "files") await use(driver.storage, driver);
  } finally {
    driver.close();
  }
}

function newCall(): DriverCall {
  return { requestId: "r", signal: new AbortController().signal };
}

function textBody(text: string): ReadableStream<Uint8Array> {
  return new Blob([text]).stream();
}

function fileJson(change: object): object {
  return {
    id: "file-1",
    bytes: 3,
    created_at: 1,
    filename: "x.jsonl",
    purpose: "batch",
    ...change,
  };
}

Deno.test("openai: requests bear the key, organization and project", async () => {
  await withServer((request) => {
    assertEquals(request.headers.get("authorization"), "Bearer sk-test-key");
    assertEquals(request.headers.get("openai-organization"), "org-1");
    assertEquals(request.headers.get("openai-project"), "proj-1");
    return Response.json(fileJson({}));
  }, async (storage) => {
    await storage.getFile(newCall(), "file-1");
  });
});

Deno.test("openai: an upload says its length, and has a .jsonl name", async () => {
  await withServer(async (request) => {
    assert(request.headers.has("content-length"));
    assertEquals(request.headers.get("transfer-encoding"), null);
    const form = await request.formData();
    const file = form.get("file");
    assert(file instanceof File);
    return Response.json(
      file instanceof File
        ? fileJson({ filename: file.name, bytes: file.size })
        : {},
    );
  }, async (storage) => {
    for (
      const [fileName, want] of [
        ["a.jsonl", "a.jsonl"],
        ["data.txt", "data.txt.jsonl"],
        ["folder/input", "folder/input.jsonl"],
      ] as const
    ) {
      const draft = { fileName, sizeBytes: 3, contentType: "text/plain" };
      const file = await storage.putFile(newCall(), draft, textBody("{}\n"));
      // The form's parser keeps the last segment, as browsers send it.
      assert(want.endsWith(file.fileName ?? "?"), file.fileName ?? "");
    }
  });
});

Deno.test("openai: a file stored with another size is deleted again", async () => {
  const deleted: string[] = [];
  await withServer(async (request, url) => {
    await request.arrayBuffer();
    if (request.method === "POST") return Response.json(fileJson({ bytes: 2 }));
    deleted.push(url.pathname);
    return Response.json({ id: "file-1", deleted: true });
  }, async (storage) => {
    const draft = { fileName: "x", sizeBytes: 3, contentType: "text/plain" };
    const error: GatewayError = await assertRejects(
      () => storage.putFile(newCall(), draft, textBody("{}\n")),
      GatewayError,
    );
    assertEquals(error.failure.kind, "upstream_failed");
  });
  assertEquals(deleted, ["/v1/files/file-1"]);
});

Deno.test("openai: a file over the limit is refused before it is sent", async () => {
  let requests = 0;
  await withServer(() => {
    requests++;
    return Response.json({});
  }, async (storage) => {
    const sizeBytes = storage.fileBytesMax + 1;
    const draft = { fileName: "x", sizeBytes, contentType: "text/plain" };
    const error: GatewayError = await assertRejects(
      () => storage.putFile(newCall(), draft, textBody("x")),
      GatewayError,
    );
    assertEquals(error.failure.kind, "entity_too_large");
  });
  assertEquals(requests, 0);
});

Deno.test("openai: pages of files are followed to the end", async () => {
  await withServer((_request, url) => {
    if (url.searchParams.get("purpose") !== "batch") {
      return Response.json({ data: [], has_more: false });
    }
    const after = Number(url.searchParams.get("after")?.slice(5) ?? 0);
    const ids = [after + 1, after + 2];
    return Response.json({
      object: "list",
      data: ids.map((id) => fileJson({ id: `file-${id}` })),
      has_more: after < 4,
    });
  }, async (storage) => {
    const pages = await Array.fromAsync(storage.listFiles(newCall()));
    assertEquals(
      pages.flat().map((file) => file.id),
      ["file-1", "file-2", "file-3", "file-4", "file-5", "file-6"],
    );
  });
});

Deno.test("openai: a server that ignores `after` and `purpose` is listed once", async () => {
  const data = [
    fileJson({ id: "file-in" }),
    fileJson({ id: "file-out", purpose: "batch_output" }),
    fileJson({ id: "file-other", purpose: "assistants" }),
    { broken: "entry" },
  ];
  await withServer(
    () => Response.json({ data, has_more: true }),
    async (storage) => {
      const pages = await Array.fromAsync(storage.listFiles(newCall()));
      assertEquals(
        pages.flat().map((file) => [file.id, file.purpose]),
        [["file-in", "input"], ["file-out", "output"]],
      );
    },
  );
});

Deno.test("openai: a server that refuses the filter is listed without it", async () => {
  await withServer((_request, url) => {
    if (url.searchParams.size > 0) {
      return Response.json({ detail: "no such purpose" }, { status: 422 });
    }
    return Response.json({ data: [fileJson({})] });
  }, async (storage) => {
    const pages = await Array.fromAsync(storage.listFiles(newCall()));
    assertEquals(pages.flat().map((file) => file.id), ["file-1"]);
  });
});

Deno.test("openai: content that is not handed back is invalid_object_state", async () => {
  const message = "Not allowed to download files of purpose: assistants";
  await withServer(
    () => Response.json({ error: { message } }, { status: 400 }),
    async (storage) => {
      const error: GatewayError = await assertRejects(
        () => storage.openFile(newCall(), "file-1"),
        GatewayError,
      );
      assertEquals(error.failure.kind, "invalid_object_state");
    },
  );
});

Deno.test("openai: a quota that is used up is no rate limit", async () => {
  const error = {
    message: "You exceeded your current quota.",
    type: "insufficient_quota",
    code: "insufficient_quota",
  };
  await withServer(
    () => Response.json({ error }, { status: 429 }),
    async (_storage, driver) => {
      const failed: GatewayError = await assertRejects(
        () => driver.probe(newCall()),
        GatewayError,
      );
      assertEquals(failed.failure.kind, "quota_exceeded");
    },
  );
});

Deno.test("openai: an answer that is no JSON has failed", async () => {
  await withServer(
    () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    async (storage) => {
      const error: GatewayError = await assertRejects(
        () => storage.getFile(newCall(), "file-1"),
        GatewayError,
      );
      assertEquals(error.failure.kind, "upstream_failed");
    },
  );
});

Deno.test("openai: stopping a batch that ended is a conflict, however told", async () => {
  for (
    const { cancelled, status, want } of [
      { cancelled: 400, status: "completed", want: "conflict" },
      { cancelled: 409, status: "cancelled", want: "conflict" },
      { cancelled: 200, status: "failed", want: "conflict" },
      { cancelled: 200, status: "cancelling", want: null },
      { cancelled: 200, status: "cancelled", want: null },
      { cancelled: 409, status: "cancelling", want: null },
      { cancelled: 400, status: "in_progress", want: "invalid_request" },
    ]
  ) {
    await withServer((request) => {
      const json = { id: "batch_1", status };
      return request.method === "POST" && cancelled !== 200
        ? Response.json({ error: { message: "no" } }, { status: cancelled })
        : Response.json(json);
    }, async (_storage, { batches }) => {
      if (batches.kind === "none") return;
      const outcome = await batches.stopBatch(newCall(), "batch_1").then(
        () => null,
        (error: GatewayError) => error.failure.kind,
      );
      assertEquals(outcome, want, `${cancelled} ${status}`);
    });
  }
});

Deno.test("openai: results are the output file and then the error file", async () => {
  await withServer(
    (_request, url) =>
      new Response(
        url.pathname.includes("file-out") ? '{"a":1}\n{"b":2}' : '{"c":3}\n',
      ),
    async (_storage, { batches }) => {
      if (batches.kind === "none") return;
      const batch = {
        id: "batch_1",
        status: "Completed",
        counts: null,
        jobId: null,
        clientRequestToken: null,
        name: null,
        modelId: null,
        endpoint: null,
        inputFileId: null,
        outputFileIds: ["file-out", "file-err"],
        createdAt: new Date(0),
        modifiedAt: null,
        endedAt: null,
        expiresAt: null,
        message: null,
        bedrock: null,
      } as const;
      const results = await batches.openResults(newCall(), batch);
      assertEquals(
        await new Response(results).text(),
        '{"a":1}\n{"b":2}\n{"c":3}\n',
      );
      const none = { ...batch, outputFileIds: [] };
      const empty = await batches.openResults(newCall(), none);
      assertEquals(await new Response(empty).text(), "");
    },
  );
});

for (
  const { id, input, output } of [
    { id: "gpt-5-mini", input: ["TEXT", "IMAGE"], output: ["TEXT"] },
    { id: "gpt-4o-2024-08-06", input: ["TEXT", "IMAGE"], output: ["TEXT"] },
    { id: "ft:gpt-4o:org::1", input: ["TEXT", "IMAGE"], output: ["TEXT"] },
    { id: "o3-mini", input: ["TEXT"], output: ["TEXT"] },
    { id: "gpt-3.5-turbo", input: ["TEXT"], output: ["TEXT"] },
    { id: "text-embedding-3-small", input: ["TEXT"], output: ["EMBEDDING"] },
    { id: "dall-e-3", input: ["TEXT", "IMAGE"], output: ["IMAGE"] },
    { id: "gpt-4o-transcribe", input: ["SPEECH"], output: ["TEXT"] },
    { id: "gpt-4o-mini-tts", input: ["TEXT"], output: ["SPEECH"] },
    { id: "some-local-model", input: ["TEXT"], output: ["TEXT"] },
  ]
) {
  Deno.test(`openai: the modalities of ${id} are known`, () => {
    const model = toFoundationModel(id);
    assertEquals(model.inputModalities, input);
    assertEquals(model.outputModalities, output);
    assertEquals(model.providerName, "OpenAI");
  });
}
