import { assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../../domain/failure.ts";
import { createGeminiDriver } from "./driver.ts";

const KEY = "AIza-test-key";
const MIB = 1024 * 1024;

/** A session of the resumable protocol, as far as one upload needs it. */
class UploadServer {
  readonly commands: string[] = [];
  readonly received: number[] = [];
  start: { headers: Headers; body: unknown } | null = null;
  receivedBytes = 0;
  /** Statuses for the next chunks; 0: takes the half and then fails. */
  readonly troubles: number[] = [];

  async handle(request: Request, url: URL): Promise<Response> {
    const command = request.headers.get("x-goog-upload-command") ?? "";
    if (url.pathname === "/upload/v1beta/files") {
      this.start = { headers: request.headers, body: await request.json() };
      return new Response("{}", {
        headers: {
          "x-goog-upload-url": "https://elsewhere.example/session?id=7",
          "x-goog-upload-status": "active",
          "x-goog-upload-chunk-granularity": "262144",
        },
      });
    }
    assertEquals(`${url.pathname}${url.search}`, "/session?id=7");
    this.commands.push(command);
    if (command === "cancel") return new Response(null);
    if (command === "query") return this.#active();
    const offset = Number(request.headers.get("x-goog-upload-offset"));
    assertEquals(offset, this.receivedBytes);
    const { byteLength } = await request.arrayBuffer();
    this.received.push(byteLength);
    const trouble = this.troubles.shift();
    if (trouble !== undefined) {
      if (trouble === 0) this.receivedBytes += byteLength / 2;
      return new Response(null, { status: trouble || 503 });
    }
    this.receivedBytes += byteLength;
    return command.includes("finalize")
      ? Response.json({
        file: { name: "files/abc", sizeBytes: String(this.receivedBytes) },
      })
      : this.#active();
  }

  #active(): Response {
    return new Response(null, {
      headers: {
        "x-goog-upload-status": "active",
        "x-goog-upload-size-received": String(this.receivedBytes),
      },
    });
  }
}

async function upload(
  server: UploadServer,
  draft: { sizeBytes: number; fileName?: string; contentType?: string },
): Promise<void> {
  await using http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => server.handle(request, new URL(request.url)),
  );
  const driver = createGeminiDriver({
    apiKey: KEY,
    baseUrl: `http://127.0.0.1:${http.addr.port}`,
  });
  const { storage } = driver;
  try {
    if (storage.kind !== "files") throw new Error("the driver has no files");
    const call = { requestId: "r", signal: new AbortController().signal };
    const body = new Blob([new Uint8Array(draft.sizeBytes)]).stream();
    const file = await storage.putFile(call, {
      fileName: "x.jsonl",
      contentType: "binary/octet-stream",
      ...draft,
    }, body);
    assertEquals(file.sizeBytes, draft.sizeBytes);
  } finally {
    driver.close();
  }
}

Deno.test("gemini: an upload goes in chunks of 8 MiB to the configured host", async () => {
  const server = new UploadServer();
  await upload(server, { sizeBytes: 20 * MIB });
  assertEquals(server.received, [8 * MIB, 8 * MIB, 4 * MIB]);
  assertEquals(server.commands, ["upload", "upload", "upload, finalize"]);
  assertEquals(server.start?.body, {
    file: {
      displayName: "x.jsonl",
      mimeType: "application/jsonl",
      sizeBytes: String(20 * MIB),
    },
  });
  const headers = server.start?.headers;
  assertEquals(headers?.get("x-goog-api-key"), KEY);
  assertEquals(headers?.get("x-goog-upload-protocol"), "resumable");
  assertEquals(
    headers?.get("x-goog-upload-header-content-length"),
    String(20 * MIB),
  );
});

for (
  const { name, sizeBytes, want } of [
    { name: "an empty file", sizeBytes: 0, want: [0] },
    { name: "exactly one chunk", sizeBytes: 8 * MIB, want: [8 * MIB] },
    { name: "one byte more", sizeBytes: 8 * MIB + 1, want: [8 * MIB, 1] },
  ]
) {
  Deno.test(`gemini: ${name} is finalized once`, async () => {
    const server = new UploadServer();
    await upload(server, { sizeBytes });
    assertEquals(server.received, want);
    const finals = server.commands.filter((c) => c === "upload, finalize");
    assertEquals(finals.length, 1);
  });
}

Deno.test("gemini: a chunk that failed goes on where the server got to", async () => {
  const server = new UploadServer();
  server.troubles.push(503, 0);
  await upload(server, { sizeBytes: 10 * MIB });
  assertEquals(server.received, [8 * MIB, 8 * MIB, 4 * MIB, 2 * MIB]);
  assertEquals(
    server.commands,
    ["upload", "query", "upload", "query", "upload", "upload, finalize"],
  );
});

Deno.test("gemini: an upload that is refused is cancelled", async () => {
  const server = new UploadServer();
  server.troubles.push(400);
  const error: GatewayError = await assertRejects(
    () => upload(server, { sizeBytes: 10 }),
    GatewayError,
  );
  assertEquals(error.failure.kind, "invalid_request");
  assertEquals(server.commands, ["upload, finalize", "cancel"]);
});

for (
  const { fileName, contentType, want } of [
    {
      fileName: "a.jsonl",
      contentType: "text/plain",
      want: "application/jsonl",
    },
    { fileName: "a", contentType: "", want: "application/jsonl" },
    {
      fileName: "a",
      contentType: "application/json; charset=utf-8",
      want: "application/jsonl",
    },
    { fileName: "a", contentType: "text/jsonl", want: "text/jsonl" },
    { fileName: "a.png", contentType: "image/png", want: "image/png" },
  ]
) {
  Deno.test(`gemini: "${fileName}" of type "${contentType}" is sent as ${want}`, async () => {
    const server = new UploadServer();
    await upload(server, { sizeBytes: 1, fileName, contentType });
    assertEquals(
      server.start?.headers.get("x-goog-upload-header-content-type"),
      want,
    );
  });
}
