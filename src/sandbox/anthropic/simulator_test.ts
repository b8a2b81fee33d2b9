import { assert, assertEquals, assertRejects } from "@std/assert";
import Anthropic from "@anthropic-ai/sdk";
import type { Simulator, SimulatorOptions } from "../simulator.ts";
import { startAnthropicSimulator } from "./simulator.ts";

const POLLS_MAX = 20_000;
const MODEL = "claude-haiku-4-5";

async function withAnthropic(
  options: SimulatorOptions,
  use: (client: Anthropic, simulator: Simulator) => Promise<void>,
): Promise<void> {
  const simulator = await startAnthropicSimulator({ paceMs: 5, ...options });
  const client = new Anthropic({
    apiKey: "k",
    baseURL: simulator.url,
    maxRetries: 0,
  });
  try {
    await use(client, simulator);
  } finally {
    await simulator.close();
  }
}

type BatchRequest = Anthropic.Messages.BatchCreateParams.Request;

function request(id: string, content: string): BatchRequest {
  const messages = [{ role: "user" as const, content }];
  return {
    custom_id: id,
    params: { model: MODEL, max_tokens: 100, messages },
  };
}

type MessageBatch = Anthropic.Messages.MessageBatch;

async function untilEnded(
  client: Anthropic,
  id: string,
): Promise<MessageBatch> {
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    const batch = await client.messages.batches.retrieve(id);
    if (batch.processing_status === "ended") return batch;
    // Nothing but `processing` is told before the end.
    const { processing, ...others } = batch.request_counts;
    assert(processing > 0);
    assertEquals(Object.values(others), [0, 0, 0, 0]);
    assertEquals(batch.results_url, null);
  }
  throw new Error("The batch never ended.");
}

type Result = Anthropic.Messages.MessageBatchIndividualResponse;

async function resultsOf(client: Anthropic, id: string): Promise<Result[]> {
  return await Array.fromAsync(await client.messages.batches.results(id));
}

/** What a result says, be it an answer or an error. */
function textOf(result: Result["result"] | undefined): string {
  if (result?.type === "errored") return result.error.error.message;
  if (result?.type !== "succeeded") throw new Error(`Not ${result?.type}.`);
  const [block] = result.message.content;
  return block?.type === "text" ? block.text : "";
}

Deno.test("anthropic: a batch ends with a result for each request", async () => {
  await withAnthropic({}, async (client) => {
    const requests = Array.from(
      { length: 12 },
      (_, index) => request(`r${index}`, `Question ${index}`),
    );
    requests[4] = request("r4", "please fail");
    const created = await client.messages.batches.create({ requests });
    assert(/^msgbatch_01[a-zA-Z0-9]{22}$/.test(created.id));
    assertEquals(created.processing_status, "in_progress");
    assertEquals(created.request_counts.processing, 12);
    const lifeMs = Date.parse(created.expires_at) -
      Date.parse(created.created_at);
    assertEquals(lifeMs, 24 * 3600 * 1000);
    const batch = await untilEnded(client, created.id);
    assertEquals(batch.request_counts, {
      processing: 0,
      succeeded: 11,
      errored: 1,
      canceled: 0,
      expired: 0,
    });
    const results = await resultsOf(client, created.id);
    const ids = results.map((result) => result.custom_id);
    const sent = requests.map((entry) => entry.custom_id);
    assertEquals(ids.toSorted(), sent.toSorted());
    assert(ids.join() !== sent.join(), "The order should differ.");
    const first = results.find((entry) => entry.custom_id === "r0")?.result;
    assert(textOf(first).startsWith('Answer to "Question 0" [turns=1:'));
    const failed = results.find((entry) => entry.custom_id === "r4")?.result;
    assertEquals(textOf(failed), "The last message asked for a failure.");
  });
});

for (
  const { name, params, text } of [
    {
      name: "no max_tokens",
      params: { max_tokens: undefined },
      text: "max_tokens: Field required",
    },
    {
      name: "a sampling parameter",
      params: { temperature: 1 },
      text: "temperature: Extra inputs are not permitted",
    },
    {
      name: "another provider's model",
      params: { model: "gpt-4o" },
      text: "model: gpt-4o",
    },
    {
      name: "streaming",
      params: { stream: true },
      text: "streaming is not supported in batches",
    },
    {
      name: "an unanswered tool call",
      params: {
        messages: [
          { role: "user", content: "x" },
          {
            role: "assistant",
            content: [{ type: "tool_use", id: "t", name: "f", input: {} }],
          },
          { role: "user", content: "y" },
        ],
      },
      text: "ids were found without `tool_result` blocks",
    },
    {
      name: "a result of no call",
      params: {
        messages: [{
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "t" }],
        }],
      },
      text: "unexpected `tool_use_id`",
    },
  ]
) {
  Deno.test(`anthropic: a request with ${name} errs alone`, async () => {
    await withAnthropic({}, async (client) => {
      const good = request("good", "Hi");
      const bad = { custom_id: "bad", params: { ...good.params, ...params } };
      const created: MessageBatch = await client.post("/v1/messages/batches", {
        body: { requests: [good, bad] },
      });
      const batch = await untilEnded(client, created.id);
      assertEquals(batch.request_counts.errored, 1);
      const results = await resultsOf(client, created.id);
      const result = results.find((entry) => entry.custom_id === "bad")?.result;
      assert(textOf(result).includes(text));
    });
  });
}

for (
  const { name, requests, text } of [
    { name: "no requests", requests: [], text: "at least 1 item" },
    {
      name: "a repeated custom_id",
      requests: [request("a", "x"), request("a", "y")],
      text: "requests.1.custom_id: 'a' is not unique",
    },
    {
      name: "an unfit custom_id",
      requests: [request("a b", "x")],
      text: "requests.0.custom_id: String should match pattern",
    },
  ]
) {
  Deno.test(`anthropic: creating a batch refuses ${name}`, async () => {
    const dataDir = await Deno.makeTempDir();
    await withAnthropic({ dataDir }, async (client) => {
      await assertRejects(
        () => client.messages.batches.create({ requests }),
        Anthropic.BadRequestError,
        text,
      );
      assertEquals((await client.messages.batches.list()).data, []);
    });
    assertEquals([...Deno.readDirSync(dataDir)], []);
    await Deno.remove(dataDir);
  });
}

Deno.test("anthropic: a body that is cut short leaves no batch", async () => {
  const dataDir = await Deno.makeTempDir();
  await withAnthropic({ dataDir }, async (client, simulator) => {
    const { hostname, port } = new URL(simulator.url);
    const socket = await Deno.connect({ hostname, port: Number(port) });
    await socket.write(new TextEncoder().encode(
      "POST /v1/messages/batches HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\n" +
        "anthropic-version: 2023-06-01\r\ncontent-length: 1000\r\n\r\n" +
        '{"requests":[{"custom_id":"a","params":{}},',
    ));
    // The answer to the broken body, or the end of the connection.
    await socket.closeWrite();
    await socket.read(new Uint8Array(16));
    socket.close();
    assertEquals((await client.messages.batches.list()).data, []);
  });
  assertEquals([...Deno.readDirSync(dataDir)], []);
  await Deno.remove(dataDir);
});

Deno.test("anthropic: a batch over 256 MB is refused unread", async () => {
  await withAnthropic({}, async (_client, simulator) => {
    const { hostname, port } = new URL(simulator.url);
    const socket = await Deno.connect({ hostname, port: Number(port) });
    await socket.write(new TextEncoder().encode(
      "POST /v1/messages/batches HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\n" +
        "anthropic-version: 2023-06-01\r\ncontent-length: 268435457\r\n\r\n",
    ));
    const answer = new Uint8Array(12);
    await socket.read(answer);
    socket.close();
    assertEquals(new TextDecoder().decode(answer), "HTTP/1.1 413");
  });
});

Deno.test("anthropic: the older version still takes sampling parameters", async () => {
  await withAnthropic({}, async (_client, simulator) => {
    const older = new Anthropic({
      apiKey: null,
      baseURL: simulator.url,
      defaultHeaders: {
        "x-api-key": "k",
        "anthropic-version": "2023-06-01",
      },
    });
    const { custom_id, params } = request("a", "Hi");
    const created: MessageBatch = await older.post("/v1/messages/batches", {
      body: {
        requests: [{ custom_id, params: { ...params, temperature: 0.5 } }],
      },
    });
    const batch = await untilEnded(older, created.id);
    assertEquals(batch.request_counts.succeeded, 1);
  });
});

Deno.test("anthropic: a canceled batch tells what was not answered", async () => {
  await withAnthropic({ paceMs: 500 }, async (client) => {
    const requests = Array.from(
      { length: 10 },
      (_, index) => request(`r${index}`, "Hi"),
    );
    const { id } = await client.messages.batches.create({ requests });
    await assertRejects(
      () => client.messages.batches.delete(id),
      Anthropic.BadRequestError,
    );
    const canceling = await client.messages.batches.cancel(id);
    assertEquals(canceling.processing_status, "canceling");
    assert(canceling.cancel_initiated_at !== null);
    const batch = await untilEnded(client, id);
    assertEquals(batch.request_counts.canceled, 10);
    const results = await resultsOf(client, id);
    assert(results.every(({ result }) => result.type === "canceled"));
    await assertRejects(
      () => client.messages.batches.cancel(id),
      Anthropic.BadRequestError,
    );
    await client.messages.batches.delete(id);
    await assertRejects(
      () => client.messages.batches.retrieve(id),
      Anthropic.NotFoundError,
    );
  });
});

Deno.test("anthropic: batches are listed page by page, newest first", async () => {
  await withAnthropic({}, async (client) => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) {
      const requests = [request("a", "Hi")];
      ids.push((await client.messages.batches.create({ requests })).id);
    }
    const pages = client.messages.batches.list({ limit: 2 });
    const listed = await Array.fromAsync(pages, (batch) => batch.id);
    assertEquals(listed, ids.toReversed());
    const before = await client.messages.batches.list({
      before_id: ids[0] ?? "",
      limit: 2,
    });
    assertEquals(before.data.map((batch) => batch.id), [ids[2], ids[1]]);
    assert(before.has_more);
    await assertRejects(
      () => client.messages.batches.list({ limit: 1001 }),
      Anthropic.BadRequestError,
    );
  });
});

Deno.test("anthropic: a new batch can be absent from the list for a while", async () => {
  await withAnthropic({ listDelayMs: 100_000 }, async (client) => {
    const requests = [request("a", "Hi")];
    const { id } = await client.messages.batches.create({ requests });
    assertEquals((await client.messages.batches.list()).data, []);
    assertEquals((await client.messages.batches.retrieve(id)).id, id);
  });
});

Deno.test("anthropic: models are listed page by page and found", async () => {
  await withAnthropic({}, async (client) => {
    const models = await Array.fromAsync(client.models.list({ limit: 2 }));
    assertEquals(models.length, 5);
    const found = await client.models.retrieve(MODEL);
    assertEquals(found.id, "claude-haiku-4-5-20251001");
    await assertRejects(
      () => client.models.retrieve("claude-none"),
      Anthropic.NotFoundError,
    );
  });
});

for (
  const { name, headers, status, text } of [
    {
      name: "no key",
      headers: { "anthropic-version": "2023-06-01" },
      status: 401,
      text: "x-api-key header is required",
    },
    {
      name: "a wrong key",
      headers: {
        "anthropic-version": "2023-06-01",
        "authorization": "Bearer invalid-key",
      },
      status: 401,
      text: "authentication_error",
    },
    {
      name: "no version",
      headers: { "x-api-key": "k" },
      status: 400,
      text: "anthropic-version: header is required",
    },
    {
      name: "an unknown version",
      headers: { "x-api-key": "k", "anthropic-version": "2024-01-01" },
      status: 400,
      text: "is not a valid version",
    },
  ]
) {
  Deno.test(`anthropic: ${name} is refused`, async () => {
    await withAnthropic({}, async (_client, simulator) => {
      const url = `${simulator.url}/v1/models`;
      const response = await fetch(url, { headers: new Headers(headers) });
      assertEquals(response.status, status);
      const body = await response.json();
      assert(JSON.stringify(body).includes(text));
      assertEquals(response.headers.get("request-id"), body.request_id);
    });
  });
}

Deno.test("anthropic: injected faults reach the SDK", async () => {
  await withAnthropic({}, async (client, simulator) => {
    const rule = {
      pathPrefix: "/v1/models",
      status: 529,
      body: {
        type: "error",
        error: { type: "overloaded_error", message: "x" },
      },
    };
    const response = await fetch(`${simulator.url}/__faults`, {
      method: "POST",
      body: JSON.stringify([rule]),
    });
    await response.body?.cancel();
    const error = await assertRejects(
      () => client.models.list(),
      Anthropic.APIError,
    );
    assertEquals(error.status, 529);
    assertEquals((await client.models.list()).data.length, 5);
  });
});
