import { assert, assertEquals, assertRejects } from "@std/assert";
import OpenAI, { toFile } from "openai";
import { startOpenAiSimulator } from "./simulator.ts";
import type { Simulator, SimulatorOptions } from "../simulator.ts";

const POLLS_MAX = 20_000;

async function withOpenAi(
  options: SimulatorOptions,
  use: (client: OpenAI, simulator: Simulator) => Promise<void>,
): Promise<void> {
  const simulator = await startOpenAiSimulator({ paceMs: 5, ...options });
  const client = new OpenAI({
    apiKey: "sk-test",
    baseURL: simulator.url,
    maxRetries: 0,
    // The SDK fetches a data: URL and leaves it unread where it finds no
    // Response class on its fetch, which the leak checks would report.
    fetch: Object.assign(fetch.bind(globalThis), { Response }),
  });
  try {
    await use(client, simulator);
  } finally {
    await simulator.close();
  }
}

function chatLine(id: string, content: string, model = "gpt-4o-mini"): string {
  return JSON.stringify({
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model, max_tokens: 100, messages: [{ role: "user", content }] },
  });
}

async function upload(client: OpenAI, text: string): Promise<string> {
  const file = await toFile(new TextEncoder().encode(text), "input.jsonl");
  return (await client.files.create({ file, purpose: "batch" })).id;
}

type Batch = OpenAI.Batches.Batch;

async function start(client: OpenAI, text: string): Promise<Batch> {
  return await client.batches.create({
    input_file_id: await upload(client, text),
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
    metadata: { job: "abc" },
  });
}

async function until(
  client: OpenAI,
  id: string,
  statuses: readonly string[],
): Promise<Batch> {
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    const batch = await client.batches.retrieve(id);
    if (statuses.includes(batch.status)) return batch;
  }
  throw new Error(`The batch never became ${statuses.join(" or ")}.`);
}

async function linesOf(client: OpenAI, id: string): Promise<string[]> {
  const text = await (await client.files.content(id)).text();
  return text.trimEnd().split("\n");
}

Deno.test("openai: a file can be uploaded, read, listed and deleted", async () => {
  await withOpenAi({}, async (client) => {
    const text = `${chatLine("a", "Hi")}\n`;
    const id = await upload(client, text);
    const file = await client.files.retrieve(id);
    assert(/^file-[a-zA-Z0-9]{22}$/.test(file.id));
    assertEquals(file.filename, "input.jsonl");
    assertEquals(file.bytes, text.length);
    assertEquals(file.purpose, "batch");
    assertEquals((file.expires_at ?? 0) - file.created_at, 30 * 24 * 3600);
    assertEquals(await (await client.files.content(id)).text(), text);
    assert((await client.files.delete(id)).deleted);
    await assertRejects(
      () => client.files.retrieve(id),
      OpenAI.NotFoundError,
      `No such File object: ${id}`,
    );
    assertEquals((await client.files.list()).data, []);
  });
});

Deno.test("openai: files are listed page by page, newest first", async () => {
  await withOpenAi({}, async (client) => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) {
      ids.push(await upload(client, chatLine("a", `${index}`)));
    }
    const listed: string[] = [];
    for await (const file of client.files.list({ limit: 2 })) {
      listed.push(file.id);
    }
    assertEquals(listed, ids.toReversed());
    const page = await client.files.list({ limit: 2, order: "asc" });
    assertEquals(page.data.map((file) => file.id), ids.slice(0, 2));
    assert(page.has_more);
    const none = await client.files.list({ purpose: "batch_output" });
    assertEquals(none.data, []);
  });
});

for (
  const { name, fileName, purpose, text, status, message } of [
    {
      name: "a batch input that is not named .jsonl",
      fileName: "input.txt",
      purpose: "batch",
      text: "{}",
      status: 400,
      message: "Invalid file format for Batch API. Must be .jsonl",
    },
    {
      name: "an unknown purpose",
      fileName: "a.jsonl",
      purpose: "batches",
      text: "{}",
      status: 400,
      message: "'batches' is not one of",
    },
    {
      name: "an empty file",
      fileName: "a.jsonl",
      purpose: "batch",
      text: "",
      status: 400,
      message: "File is empty.",
    },
  ]
) {
  Deno.test(`openai: an upload refuses ${name}`, async () => {
    await withOpenAi({}, async (client, simulator) => {
      const form = new FormData();
      form.set("file", new File([text], fileName));
      form.set("purpose", purpose);
      const response = await fetch(`${simulator.url}/files`, {
        method: "POST",
        headers: { authorization: "Bearer k" },
        body: form,
      });
      assertEquals(response.status, status);
      assert((await response.text()).includes(message));
      assertEquals((await client.files.list()).data, []);
    });
  });
}

Deno.test("openai: files of other purposes are not handed back", async () => {
  await withOpenAi({}, async (client) => {
    const file = await client.files.create({
      file: new File(["hello"], "a.txt"),
      purpose: "user_data",
    });
    assertEquals(file.expires_at ?? null, null);
    await assertRejects(
      () => client.files.content(file.id),
      OpenAI.BadRequestError,
      "Not allowed to download files of purpose: user_data",
    );
  });
});

Deno.test("openai: expires_after sets a file's end", async () => {
  await withOpenAi({}, async (client) => {
    const file = await client.files.create({
      file: new File(["{}"], "a.jsonl"),
      purpose: "batch",
      expires_after: { anchor: "created_at", seconds: 3600 },
    });
    assertEquals((file.expires_at ?? 0) - file.created_at, 3600);
    await assertRejects(
      () =>
        client.files.create({
          file: new File(["{}"], "a.jsonl"),
          purpose: "batch",
          expires_after: { anchor: "created_at", seconds: 3599 },
        }),
      OpenAI.BadRequestError,
    );
  });
});

Deno.test("openai: an upload that is cut short leaves no file", async () => {
  const dataDir = await Deno.makeTempDir();
  await withOpenAi({ dataDir }, async (client, simulator) => {
    const { hostname, port } = new URL(simulator.url);
    const socket = await Deno.connect({ hostname, port: Number(port) });
    await socket.write(new TextEncoder().encode(
      "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n" +
        "content-type: multipart/form-data; boundary=b\r\n" +
        "transfer-encoding: chunked\r\n\r\n" +
        "78\r\n--b\r\ncontent-disposition: form-data; name=file; " +
        'filename="a.jsonl"\r\n\r\n{"custom_id":"an unfinished lin\r\n',
    ));
    // The answer to the broken form, or the end of the connection.
    await socket.closeWrite();
    await socket.read(new Uint8Array(16));
    socket.close();
    assertEquals((await client.files.list()).data, []);
  });
  assertEquals([...Deno.readDirSync(dataDir)], []);
  await Deno.remove(dataDir);
});

Deno.test("openai: a streamed form may come in any order", async () => {
  await withOpenAi({}, async (client, simulator) => {
    const text = `${chatLine("a", "--b\r\n".repeat(100))}\r\n--b-\r\n`;
    const form = `--bound\r\ncontent-disposition: form-data; name="file"; ` +
      `filename="in \\"q\\".jsonl"\r\n\r\n${text}\r\n--bound\r\n` +
      `content-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n` +
      `--bound--\r\n`;
    const bytes = new TextEncoder().encode(form);
    const response = await fetch(`${simulator.url}/files`, {
      method: "POST",
      headers: {
        authorization: "Bearer k",
        "content-type": 'multipart/form-data; boundary="bound"',
      },
      body: ReadableStream.from(
        Array.from(
          { length: Math.ceil(bytes.length / 7) },
          (_, index) => bytes.slice(index * 7, index * 7 + 7),
        ),
      ),
    });
    const file: { id: string; filename: string } = await response.json();
    assertEquals(file.filename, 'in "q".jsonl');
    assertEquals(await (await client.files.content(file.id)).text(), text);
  });
});

Deno.test("openai: a batch completes with an answer for each line", async () => {
  await withOpenAi({}, async (client) => {
    const questions = Array.from({ length: 20 }, (_, index) => `Q${index}`);
    questions[3] = "please fail";
    const input = questions.map((text, index) => chatLine(`r${index}`, text));
    const created = await start(client, input.join("\n"));
    assertEquals(created.status, "validating");
    assertEquals(created.metadata, { job: "abc" });
    assertEquals(created.output_file_id ?? null, null);
    const batch = await until(client, created.id, ["completed"]);
    assertEquals(batch.request_counts, { total: 20, completed: 19, failed: 1 });
    assertEquals(batch.model, "gpt-4o-mini");
    assert(batch.in_progress_at && batch.finalizing_at && batch.completed_at);
    assert((batch.usage?.total_tokens ?? 0) > 0);
    const output = (await linesOf(client, batch.output_file_id ?? ""))
      .map((line) => JSON.parse(line));
    const ids: string[] = output.map((line) => line.custom_id);
    const inInputOrder = input.map((line) => JSON.parse(line).custom_id)
      .filter((id) => id !== "r3");
    assertEquals(ids.toSorted(), inInputOrder.toSorted());
    assert(ids.join() !== inInputOrder.join(), "The order should differ.");
    const first = output.find((line) => line.custom_id === "r0");
    assertEquals(first.response.status_code, 200);
    const { message } = first.response.body.choices[0];
    assert(message.content.startsWith('Answer to "Q0" [turns=1:'));
    assert(message.content.includes("max=100"));
    const errors = (await linesOf(client, batch.error_file_id ?? ""))
      .map((line) => JSON.parse(line));
    assertEquals(errors.length, 1);
    assertEquals(errors[0].response.status_code, 400);
    const file = await client.files.retrieve(batch.output_file_id ?? "");
    assertEquals(file.purpose, "batch_output");
    assertEquals(file.filename, `${batch.id}_output.jsonl`);
  });
});

Deno.test("openai: a batch that only fails has no output file", async () => {
  await withOpenAi({}, async (client) => {
    const created = await start(client, chatLine("a", "please fail"));
    const batch = await until(client, created.id, ["completed"]);
    assertEquals(batch.output_file_id ?? null, null);
    assert(typeof batch.error_file_id === "string");
  });
});

Deno.test("openai: counts rise while a batch runs", async () => {
  await withOpenAi({ paceMs: 300 }, async (client) => {
    const lines = Array.from({ length: 10 }, (_, i) => chatLine(`r${i}`, "Hi"));
    const created = await start(client, lines.join("\n"));
    await until(client, created.id, ["in_progress"]);
    const seen = new Set<number>();
    for (let poll = 0; poll < POLLS_MAX; poll++) {
      const batch = await client.batches.retrieve(created.id);
      if (batch.status !== "in_progress") break;
      seen.add(batch.request_counts?.completed ?? 0);
    }
    assert(seen.size > 2, `Only ${[...seen]} seen.`);
  });
});

for (
  const { name, text, code, line } of [
    { name: "broken JSON", text: "{}\n{", code: "invalid_json_line", line: 2 },
    {
      name: "a repeated custom_id",
      text: `${chatLine("a", "x")}\n\n${chatLine("a", "y")}`,
      code: "duplicate_custom_id",
      line: 3,
    },
    {
      name: "a line without a body",
      text: '{"custom_id":"a","method":"POST","url":"/v1/chat/completions"}',
      code: "missing_required_parameter",
      line: 1,
    },
    {
      name: "another endpoint",
      text: chatLine("a", "x").replace("/chat/completions", "/responses"),
      code: "url_mismatch",
      line: 1,
    },
    {
      name: "another method",
      text: chatLine("a", "x").replace("POST", "GET"),
      code: "invalid_method",
      line: 1,
    },
    {
      name: "two models",
      text: `${chatLine("a", "x")}\n${chatLine("b", "x", "gpt-4o")}`,
      code: "model_mismatch",
      line: 2,
    },
    {
      name: "another provider's model",
      text: chatLine("a", "x", "gemini-2.5-flash"),
      code: "model_not_found",
      line: 1,
    },
    { name: "nothing but blank lines", text: "\n \n", code: "empty_file" },
  ]
) {
  Deno.test(`openai: a batch fails over ${name}`, async () => {
    await withOpenAi({}, async (client) => {
      const created = await start(client, text);
      const batch = await until(client, created.id, ["failed"]);
      const errors = batch.errors?.data ?? [];
      const found = errors.find((error) => error.code === code);
      assertEquals(found?.line ?? null, line ?? null);
      assert(found !== undefined && batch.failed_at);
      assertEquals(batch.output_file_id ?? null, null);
    });
  });
}

Deno.test("openai: a batch of more than 50,000 lines fails", async () => {
  await withOpenAi({}, async (client) => {
    const lines = Array.from(
      { length: 50_001 },
      (_, i) => chatLine(`${i}`, ""),
    );
    const created = await start(client, lines.join("\n"));
    const batch = await until(client, created.id, ["failed"]);
    assertEquals(batch.errors?.data?.[0]?.code, "too_many_tasks");
  });
});

Deno.test("openai: a cancelled batch keeps what it has", async () => {
  await withOpenAi({ paceMs: 500 }, async (client) => {
    const lines = Array.from({ length: 10 }, (_, i) => chatLine(`r${i}`, "Hi"));
    const created = await start(client, lines.join("\n"));
    for (let poll = 0; poll < POLLS_MAX; poll++) {
      const batch = await client.batches.retrieve(created.id);
      if ((batch.request_counts?.completed ?? 0) > 0) break;
    }
    const cancelling = await client.batches.cancel(created.id);
    assertEquals(cancelling.status, "cancelling");
    const batch = await until(client, created.id, ["cancelled"]);
    assert(batch.cancelling_at && batch.cancelled_at);
    const output = await linesOf(client, batch.output_file_id ?? "");
    const errors = await linesOf(client, batch.error_file_id ?? "");
    assertEquals(output.length, batch.request_counts?.completed);
    assertEquals(output.length + errors.length, 10);
    assertEquals(JSON.parse(errors[0] ?? "").error.code, "batch_cancelled");
    await assertRejects(
      () => client.batches.cancel(created.id),
      OpenAI.ConflictError,
      "Cannot cancel a batch with status 'cancelled'.",
    );
  });
});

Deno.test("openai: batches are listed page by page, newest first", async () => {
  await withOpenAi({}, async (client) => {
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) {
      ids.push((await start(client, chatLine("a", "Hi"))).id);
    }
    const pages = client.batches.list({ limit: 2 });
    const listed = await Array.fromAsync(pages, (batch) => batch.id);
    assertEquals(listed, ids.toReversed());
    await assertRejects(
      () => client.batches.list({ limit: 101 }),
      OpenAI.BadRequestError,
    );
  });
});

Deno.test("openai: a new batch can be absent from the list for a while", async () => {
  await withOpenAi({ listDelayMs: 100_000 }, async (client) => {
    const { id } = await start(client, chatLine("a", "Hi"));
    assertEquals((await client.batches.list()).data, []);
    assertEquals((await client.batches.retrieve(id)).id, id);
  });
});

for (
  const { name, order, message } of [
    {
      name: "an endpoint that has no batches",
      order: { endpoint: "/v1/audio/speech" },
      message: "Invalid value for 'endpoint'",
    },
    {
      name: "another window",
      order: { completion_window: "1h" },
      message: "Invalid value for 'completion_window'",
    },
    {
      name: "a file that is not there",
      order: { input_file_id: "file-none" },
      message: "No such File object: file-none",
    },
    {
      name: "too long metadata",
      order: { metadata: { a: "x".repeat(513) } },
      message: "Invalid value for 'metadata.a'",
    },
    {
      name: "an unknown member",
      order: { name: "x" },
      message: "Unknown parameter: 'name'.",
    },
  ]
) {
  Deno.test(`openai: creating a batch refuses ${name}`, async () => {
    await withOpenAi({}, async (client) => {
      const valid: Record<string, unknown> = {
        input_file_id: await upload(client, chatLine("a", "Hi")),
        endpoint: "/v1/chat/completions",
        completion_window: "24h",
      };
      const body = { ...valid, ...order };
      await assertRejects(
        () => client.post("/batches", { body }),
        OpenAI.BadRequestError,
        message,
      );
    });
  });
}

Deno.test("openai: responses and embeddings are answered in their shapes", async () => {
  await withOpenAi({}, async (client) => {
    for (
      const { endpoint, body, want } of [
        {
          endpoint: "/v1/responses",
          body: { model: "gpt-5-mini", input: "Hi" },
          want: "response",
        },
        {
          endpoint: "/v1/embeddings",
          body: { model: "text-embedding-3-small", input: ["a", "b"] },
          want: "list",
        },
      ] as const
    ) {
      const line = { custom_id: "a", method: "POST", url: endpoint, body };
      const created = await client.batches.create({
        input_file_id: await upload(client, JSON.stringify(line)),
        endpoint,
        completion_window: "24h",
      });
      const batch = await until(client, created.id, ["completed"]);
      const [result] = await linesOf(client, batch.output_file_id ?? "");
      const { response } = JSON.parse(result ?? "");
      assertEquals(response.body.object, want);
    }
  });
});

Deno.test("openai: models are listed and found", async () => {
  await withOpenAi({}, async (client) => {
    const models = await Array.fromAsync(client.models.list());
    assert(models.some((model) => model.id === "gpt-4o-mini"));
    assertEquals((await client.models.retrieve("gpt-5")).owned_by, "system");
    await assertRejects(
      () => client.models.retrieve("gpt-none"),
      OpenAI.NotFoundError,
      "does not exist",
    );
  });
});

Deno.test("openai: errors carry the request's id", async () => {
  await withOpenAi({}, async (client, simulator) => {
    const wrong = client.withOptions({ apiKey: "invalid-key" });
    const error = await assertRejects(
      () => wrong.files.list(),
      OpenAI.AuthenticationError,
    );
    assertEquals(error.code, "invalid_api_key");
    assert(error.requestID?.startsWith("req_"));
    const response = await fetch(`${simulator.url}/files`);
    assertEquals(response.status, 401);
    assert((await response.text()).includes("didn't provide an API key"));
  });
});

Deno.test("openai: injected faults reach the SDK, which retries", async () => {
  await withOpenAi({}, async (client, simulator) => {
    const faults = new URL("/__faults", simulator.url);
    const rule = { pathPrefix: "/v1/files", status: 500, times: 2 };
    const answer = await fetch(faults, {
      method: "POST",
      body: JSON.stringify([rule]),
    });
    await answer.body?.cancel();
    await assertRejects(() => client.files.list(), OpenAI.InternalServerError);
    const retrying = client.withOptions({ maxRetries: 1 });
    assertEquals((await retrying.files.list()).data, []);
  });
});
