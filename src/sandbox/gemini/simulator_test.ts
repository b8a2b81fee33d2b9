import { assert, assertEquals, assertRejects } from "@std/assert";
import { ApiError, type BatchJob, GoogleGenAI, JobState } from "@google/genai";
import type { Simulator, SimulatorOptions } from "../simulator.ts";
import { startGeminiSimulator } from "./simulator.ts";

const POLLS_MAX = 20_000;
const MODEL = "gemini-2.5-flash";
const KEY = { "x-goog-api-key": "k" };

async function withGemini(
  options: SimulatorOptions,
  use: (client: GoogleGenAI, simulator: Simulator) => Promise<void>,
): Promise<void> {
  const simulator = await startGeminiSimulator({ paceMs: 5, ...options });
  const client = new GoogleGenAI({
    apiKey: "k",
    httpOptions: { baseUrl: simulator.url, fetch: fetchWhole },
  });
  try {
    await use(client, simulator);
  } finally {
    await simulator.close();
  }
}

/** The SDK leaves some answers unread, which the leak checks would report. */
async function fetchWhole(
  input: RequestInfo | URL,
  init?: RequestInit,
): Promise<Response> {
  const response = await fetch(input, init);
  return new Response(await response.bytes(), response);
}

function request(text: string): unknown {
  return {
    contents: [{ role: "user", parts: [{ text }] }],
    generationConfig: { maxOutputTokens: 100 },
  };
}

/** Uploads a file and waits until it may be used. */
async function upload(client: GoogleGenAI, text: string): Promise<string> {
  const { name = "" } = await client.files.upload({
    file: new Blob([text]),
    config: { mimeType: "application/jsonl", displayName: "in.jsonl" },
  });
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    if ((await client.files.get({ name })).state === "ACTIVE") break;
  }
  return name;
}

async function start(client: GoogleGenAI, text: string): Promise<string> {
  const src = await upload(client, text);
  const config = { displayName: "job-1" };
  const { name } = await client.batches.create({ model: MODEL, src, config });
  return name ?? "";
}

async function until(
  client: GoogleGenAI,
  name: string,
  state: JobState,
): Promise<BatchJob> {
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    const batch = await client.batches.get({ name });
    if (batch.state === state) return batch;
  }
  throw new Error(`The batch never became ${state}.`);
}

interface Operation {
  metadata: {
    state: string;
    batchStats: Record<string, string>;
    output?: { responsesFile: string };
  };
  done?: boolean;
  error?: { code: number; message: string };
}

async function operationOf(
  simulator: Simulator,
  name: string,
): Promise<Operation> {
  const url = `${simulator.url}/v1beta/${name}`;
  return await (await fetch(url, { headers: KEY })).json();
}

async function startUpload(
  simulator: Simulator,
  sizeBytes: number,
): Promise<string> {
  const response = await fetch(`${simulator.url}/upload/v1beta/files`, {
    method: "POST",
    headers: {
      ...KEY,
      "x-goog-upload-protocol": "resumable",
      "x-goog-upload-command": "start",
      "x-goog-upload-header-content-length": String(sizeBytes),
      "x-goog-upload-header-content-type": "application/jsonl",
    },
    body: "{}",
  });
  assertEquals(response.headers.get("x-goog-upload-status"), "active");
  await response.body?.cancel();
  return response.headers.get("x-goog-upload-url") ?? "";
}

async function chunk(
  url: string,
  command: string,
  offset: number,
  body: Uint8Array<ArrayBuffer> | null = null,
): Promise<{ status: number; received: string | null; text: string }> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "x-goog-upload-command": command,
      "x-goog-upload-offset": String(offset),
    },
    body,
  });
  return {
    status: response.status,
    received: response.headers.get("x-goog-upload-size-received"),
    text: await response.text(),
  };
}

Deno.test("gemini: an uploaded file is processed, found and deleted", async () => {
  await withGemini({ paceMs: 100 }, async (client) => {
    const file = await client.files.upload({
      file: new Blob(["hello"]),
      config: { mimeType: "text/plain", displayName: "a.txt" },
    });
    assert(/^files\/[a-z0-9]{12}$/.test(file.name ?? ""));
    assertEquals(file.state, "PROCESSING");
    assertEquals(file.sizeBytes, "5");
    const lifeMs = Date.parse(file.expirationTime ?? "") -
      Date.parse(file.createTime ?? "");
    assertEquals(lifeMs, 48 * 3600 * 1000);
    const hash = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode("hello"),
    );
    assertEquals(
      atob(file.sha256Hash ?? ""),
      new Uint8Array(hash).toHex(),
    );
    const name = file.name ?? "";
    for (let poll = 0; poll < POLLS_MAX; poll++) {
      if ((await client.files.get({ name })).state === "ACTIVE") break;
    }
    assertEquals((await client.files.get({ name })).state, "ACTIVE");
    await client.files.delete({ name });
    const error = await assertRejects(
      () => client.files.get({ name }),
      ApiError,
      "You do not have permission to access the File",
    );
    assertEquals(error.status, 403);
  });
});

Deno.test("gemini: a file may be given its name, once", async () => {
  await withGemini({}, async (client) => {
    const config = { mimeType: "text/plain", name: "files/my-file" };
    const file = new Blob(["x"]);
    assertEquals(
      (await client.files.upload({ file, config })).name,
      "files/my-file",
    );
    await assertRejects(() => client.files.upload({ file, config }));
  });
});

Deno.test("gemini: files are listed page by page, newest first", async () => {
  await withGemini({}, async (client) => {
    const names: string[] = [];
    for (let index = 0; index < 5; index++) {
      names.push(await upload(client, `${index}`));
    }
    const pager = await client.files.list({ config: { pageSize: 2 } });
    const listed = await Array.fromAsync(pager, (file) => file.name ?? "");
    assertEquals(listed, names.toReversed());
    await assertRejects(
      () => client.files.list({ config: { pageSize: 101 } }),
      ApiError,
      "INVALID_ARGUMENT",
    );
  });
});

Deno.test("gemini: an upload of several chunks can be asked about", async () => {
  await withGemini({}, async (client, simulator) => {
    const part = new Uint8Array(262_144).fill(65);
    const url = await startUpload(simulator, part.length + 3);
    assertEquals((await chunk(url, "upload", 0, part)).received, "262144");
    assertEquals((await chunk(url, "query", 0)).received, "262144");
    const wrong = await chunk(url, "upload, finalize", 5, part);
    assertEquals(wrong.status, 400);
    const tail = new TextEncoder().encode("end");
    const last = await chunk(url, "upload, finalize", part.length, tail);
    const { file } = JSON.parse(last.text);
    assertEquals(file.sizeBytes, String(part.length + 3));
    assertEquals((await client.files.get({ name: file.name })).name, file.name);
  });
});

Deno.test("gemini: chunks that are no multiple of the unit are refused", async () => {
  await withGemini({}, async (_client, simulator) => {
    const url = await startUpload(simulator, 1000);
    const odd = await chunk(url, "upload", 0, new Uint8Array(10));
    assertEquals(odd.status, 400);
    assertEquals((await chunk(url, "query", 0)).received, "0");
  });
});

Deno.test("gemini: an upload that ends early or is cancelled leaves no file", async () => {
  const dataDir = await Deno.makeTempDir();
  await withGemini({ dataDir }, async (client, simulator) => {
    const early = await startUpload(simulator, 1000);
    const short = await chunk(early, "upload, finalize", 0, new Uint8Array(9));
    assertEquals(short.status, 400);
    assert(short.text.includes("9 bytes where 1000 were announced"));
    await chunk(early, "cancel", 0);
    const long = await startUpload(simulator, 3);
    const more = await chunk(long, "upload, finalize", 0, new Uint8Array(4));
    assertEquals(more.status, 400);
    await chunk(long, "cancel", 0);
    assertEquals(await Array.fromAsync(await client.files.list()), []);
  });
  assertEquals([...Deno.readDirSync(dataDir)], []);
  await Deno.remove(dataDir);
});

Deno.test("gemini: a chunk that breaks off can be sent again", async () => {
  await withGemini({}, async (client, simulator) => {
    const text = "x".repeat(300_000);
    const url = new URL(await startUpload(simulator, text.length));
    const socket = await Deno.connect({
      hostname: url.hostname,
      port: Number(url.port),
    });
    await socket.write(new TextEncoder().encode(
      `POST ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n` +
        "x-goog-upload-command: upload, finalize\r\n" +
        "x-goog-upload-offset: 0\r\ncontent-length: 300000\r\n\r\n" +
        "xxxxx",
    ));
    await socket.closeWrite();
    // The answer to the broken chunk, or the end of the connection.
    await socket.read(new Uint8Array(16));
    socket.close();
    assertEquals(await Array.fromAsync(await client.files.list()), []);
    assertEquals((await chunk(url.href, "query", 0)).received, "0");
    const bytes = new TextEncoder().encode(text);
    const again = await chunk(url.href, "upload, finalize", 0, bytes);
    assertEquals(again.status, 200);
  });
});

Deno.test("gemini: a batch answers every line of its file, in order", async () => {
  await withGemini({}, async (client, simulator) => {
    const lines = [
      { key: "a", request: request("What is 1 + 1?") },
      { request: request("With metadata"), metadata: { key: "b" } },
      { request: request("Without a key") },
      { key: "c", request: request("please fail") },
      { key: "d", request: { contents: [], maxTokens: 1 } },
    ];
    const text = lines.map((line) => JSON.stringify(line)).join("\n");
    const name = await start(client, text);
    assert(name.startsWith("batches/"));
    const batch = await until(client, name, JobState.JOB_STATE_SUCCEEDED);
    assertEquals(batch.displayName, "job-1");
    assertEquals(batch.model, `models/${MODEL}`);
    const { metadata, done } = await operationOf(simulator, name);
    assert(done);
    assertEquals(metadata.state, "BATCH_STATE_SUCCEEDED");
    assertEquals(metadata.batchStats, {
      requestCount: "5",
      successfulRequestCount: "3",
      failedRequestCount: "2",
    });
    const file = batch.dest?.fileName ?? "";
    for (const folder of ["/v1beta/", "/download/v1beta/"]) {
      const url = `${simulator.url}${folder}${file}:download?alt=media`;
      const response = await fetch(url, { headers: KEY });
      const results = (await response.text()).trimEnd().split("\n")
        .map((line) => JSON.parse(line));
      assertEquals(
        results.map(({ key, metadata }) => key ?? metadata?.key ?? null),
        ["a", "b", null, "c", "d"],
      );
      assert(!("key" in results[1]));
      const [answer] = results[0].response.candidates[0].content.parts;
      assert(answer.text.startsWith('Answer to "What is 1 + 1?" [turns=1:'));
      assert(answer.text.includes("max=100"));
      assertEquals(results[3].error.code, 3);
      assert(results[4].error.message.includes('Unknown name "maxTokens"'));
    }
    assertEquals((await client.files.get({ name: file })).source, "GENERATED");
  });
});

Deno.test("gemini: uploaded files are not handed back", async () => {
  await withGemini({}, async (client, simulator) => {
    const name = await upload(client, "x");
    const url = `${simulator.url}/v1beta/${name}:download?alt=media`;
    const response = await fetch(url, { headers: KEY });
    assertEquals(response.status, 400);
    assert((await response.text()).includes("Only generated files"));
  });
});

Deno.test("gemini: a batch of inline requests has inline answers", async () => {
  await withGemini({}, async (client) => {
    const { name = "" } = await client.batches.create({
      model: MODEL,
      src: ["One", "Two"].map((text) => ({
        contents: [{ role: "user", parts: [{ text }] }],
        metadata: { my_key: text },
      })),
      config: { displayName: "inline" },
    });
    const batch = await until(client, name, JobState.JOB_STATE_SUCCEEDED);
    const responses = batch.dest?.inlinedResponses ?? [];
    assertEquals(responses.map((entry) => entry.metadata), [
      { my_key: "One" },
      { my_key: "Two" },
    ]);
    const [part] = responses[1]?.response?.candidates?.[0]?.content?.parts ??
      [];
    assert(part?.text?.startsWith('Answer to "Two"'));
  });
});

for (
  const { name, text } of [
    { name: "a line that is no JSON", text: '{"key":"a","request":{}}\n{' },
    { name: "a line without a request", text: '{"custom_id":"a","body":{}}' },
    { name: "blank lines only", text: "\n\n" },
  ]
) {
  Deno.test(`gemini: a batch fails over ${name}`, async () => {
    await withGemini({}, async (client, simulator) => {
      const batch = await start(client, text);
      await until(client, batch, JobState.JOB_STATE_FAILED);
      const { error, metadata } = await operationOf(simulator, batch);
      assertEquals(error?.code, 3);
      assertEquals(metadata.output, undefined);
    });
  });
}

Deno.test("gemini: a running batch can be cancelled, a finished one not", async () => {
  await withGemini({ paceMs: 400 }, async (client, simulator) => {
    const lines = Array.from(
      { length: 10 },
      (_, index) => JSON.stringify({ key: `${index}`, request: request("x") }),
    );
    const name = await start(client, lines.join("\n"));
    await until(client, name, JobState.JOB_STATE_RUNNING);
    await client.batches.cancel({ name });
    await until(client, name, JobState.JOB_STATE_CANCELLED);
    const { done, error } = await operationOf(simulator, name);
    assert(done);
    assertEquals(error?.code, 1);
    await assertRejects(
      () => client.batches.cancel({ name }),
      ApiError,
      "FAILED_PRECONDITION",
    );
  });
});

Deno.test("gemini: batches are listed page by page, newest first", async () => {
  await withGemini({}, async (client) => {
    const names: string[] = [];
    const line = JSON.stringify({ request: request("x") });
    for (let index = 0; index < 3; index++) {
      names.push(await start(client, line));
    }
    const pager = await client.batches.list({ config: { pageSize: 2 } });
    const listed = await Array.fromAsync(pager, (batch) => batch.name ?? "");
    assertEquals(listed, names.toReversed());
    await client.batches.delete({ name: names[1] ?? "" });
    const rest = await client.batches.list({ config: { pageSize: 1 } });
    assertEquals(
      await Array.fromAsync(rest, (batch) => batch.name),
      [names[2], names[0]],
    );
  });
});

Deno.test("gemini: a new batch can be absent from the list for a while", async () => {
  await withGemini({ listDelayMs: 100_000 }, async (client) => {
    const line = JSON.stringify({ request: request("x") });
    const name = await start(client, line);
    assertEquals(await Array.fromAsync(await client.batches.list()), []);
    assertEquals((await client.batches.get({ name })).name, name);
  });
});

Deno.test("gemini: a file that is still processed starts no batch", async () => {
  await withGemini({ paceMs: 100_000 }, async (client) => {
    const { name = "" } = await client.files.upload({
      file: new Blob(["{}"]),
      config: { mimeType: "jsonl" },
    });
    const config = { displayName: "j" };
    await assertRejects(
      () => client.batches.create({ model: MODEL, src: name, config }),
      ApiError,
      "is not in an ACTIVE state",
    );
  });
});

for (
  const { name, model, batch, status } of [
    {
      name: "another provider's model",
      model: "gpt-4o",
      batch: { displayName: "j", inputConfig: { fileName: "files/none" } },
      status: 404,
    },
    {
      name: "a batch without a name",
      model: MODEL,
      batch: { inputConfig: { fileName: "files/none" } },
      status: 400,
    },
    {
      name: "a file that is not there",
      model: MODEL,
      batch: { displayName: "j", inputConfig: { fileName: "files/none" } },
      status: 403,
    },
    {
      name: "an unknown member",
      model: MODEL,
      batch: { displayName: "j", inputConfig: {}, metadata: {} },
      status: 400,
    },
  ]
) {
  Deno.test(`gemini: creating a batch refuses ${name}`, async () => {
    await withGemini({}, async (_client, simulator) => {
      const url =
        `${simulator.url}/v1beta/models/${model}:batchGenerateContent`;
      const response = await fetch(url, {
        method: "POST",
        headers: KEY,
        body: JSON.stringify({ batch }),
      });
      assertEquals(response.status, status);
      const { error } = await response.json();
      assertEquals(error.code, status);
    });
  });
}

Deno.test("gemini: too many batches at once are told to wait", async () => {
  await withGemini({ paceMs: 100_000 }, async (client, simulator) => {
    const src = [{ contents: [{ role: "user", parts: [{ text: "x" }] }] }];
    for (let index = 0; index < 100; index++) {
      const config = { displayName: "j" };
      await client.batches.create({ model: MODEL, src, config });
    }
    const url = `${simulator.url}/v1beta/models/${MODEL}:batchGenerateContent`;
    const requests = { requests: [{ request: request("x") }] };
    const response = await fetch(url, {
      method: "POST",
      headers: KEY,
      body: JSON.stringify({
        batch: { display_name: "j", input_config: { requests } },
      }),
    });
    const { error } = await response.json();
    assertEquals(error.status, "RESOURCE_EXHAUSTED");
    assertEquals(error.details[0].retryDelay, "1s");
  });
});

Deno.test("gemini: models are listed page by page and found", async () => {
  await withGemini({}, async (client) => {
    const pager = await client.models.list({ config: { pageSize: 2 } });
    const names = await Array.fromAsync(pager, (model) => model.name);
    assertEquals(names.length, new Set(names).size);
    assert(names.includes("models/gemini-2.5-flash"));
    const model = await client.models.get({ model: MODEL });
    assertEquals(model.inputTokenLimit, 1_048_576);
    await assertRejects(
      () => client.models.get({ model: "gemini-none" }),
      ApiError,
      "is not found for API version v1beta",
    );
  });
});

for (
  const { name, headers, code, text } of [
    { name: "no key", headers: {}, code: 403, text: "unregistered callers" },
    {
      name: "a wrong key",
      headers: { "x-goog-api-key": "invalid-key" },
      code: 400,
      text: "API_KEY_INVALID",
    },
  ]
) {
  Deno.test(`gemini: ${name} is refused`, async () => {
    await withGemini({}, async (_client, simulator) => {
      const response = await fetch(`${simulator.url}/v1beta/files`, {
        headers,
      });
      assertEquals(response.status, code);
      assert((await response.text()).includes(text));
    });
  });
}

Deno.test("gemini: injected faults reach the SDK", async () => {
  await withGemini({}, async (client, simulator) => {
    const rule = { method: "GET", pathPrefix: "/v1beta/files", status: 503 };
    const response = await fetch(`${simulator.url}/__faults`, {
      method: "POST",
      body: JSON.stringify([rule]),
    });
    await response.body?.cancel();
    const error = await assertRejects(() => client.files.list(), ApiError);
    assertEquals(error.status, 503);
    assertEquals(await Array.fromAsync(await client.files.list()), []);
  });
});
