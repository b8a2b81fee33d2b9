import { assert, assertEquals, assertRejects } from "@std/assert";
import { routeOf } from "./faults.ts";
import { serveSimulator, type Simulator } from "./simulator.ts";

async function withEcho(
  use: (simulator: Simulator, handled: string[]) => Promise<void>,
): Promise<void> {
  const handled: string[] = [];
  const simulator = await serveSimulator({}, async (request) => {
    handled.push(await request.text());
    return new Response("handled");
  });
  try {
    await use(simulator, handled);
  } finally {
    await simulator.close();
  }
}

async function inject(simulator: Simulator, rules: unknown): Promise<void> {
  const response = await fetch(`${simulator.url}/__faults`, {
    method: "POST",
    body: JSON.stringify(rules),
  });
  assertEquals(response.status, 200, await response.text());
}

function post(simulator: Simulator, path: string): Promise<Response> {
  return fetch(simulator.url + path, { method: "POST", body: "hello" });
}

async function textOf(response: Promise<Response>): Promise<string> {
  return await (await response).text();
}

Deno.test("serveSimulator() hands requests to its handler", async () => {
  await withEcho(async (simulator, handled) => {
    const response = await post(simulator, "/v1/files");
    assertEquals(await response.text(), "handled");
    assertEquals(response.headers.get("cache-control"), "no-transform");
    assertEquals(handled, ["hello"]);
  });
});

Deno.test("serveSimulator() keeps a long body whole", async () => {
  const body = new Uint8Array(3_000_000).map((_, index) => index % 251);
  const simulator = await serveSimulator({}, async (request) => {
    return new Response(await request.bytes());
  });
  try {
    const response = await fetch(simulator.url, { method: "POST", body });
    assertEquals(await response.bytes(), body);
  } finally {
    await simulator.close();
  }
});

Deno.test("serveSimulator() refuses a port that is taken", async () => {
  await withEcho(async (simulator) => {
    const port = Number(new URL(simulator.url).port);
    await assertRejects(
      () => serveSimulator({ port }, () => Promise.resolve(new Response())),
      Deno.errors.AddrInUse,
    );
  });
});

Deno.test("close() does not wait for a handler's slow answer", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const started = Promise.withResolvers<void>();
  const simulator = await serveSimulator({}, () => {
    started.resolve();
    return promise;
  });
  const answer = assertRejects(() => fetch(simulator.url));
  await started.promise;
  const closed = simulator.close();
  await answer;
  resolve(new Response());
  await closed;
});

Deno.test("a fault answers instead of the handler, as often as told", async () => {
  await withEcho(async (simulator, handled) => {
    await inject(simulator, [{
      method: "post",
      pathPrefix: "/v1/batches",
      times: 2,
      status: 429,
      headers: { "retry-after": "7" },
      body: { error: { message: "slow down" } },
    }]);
    const first = await post(simulator, "/v1/batches");
    assertEquals(first.status, 429);
    assertEquals(first.headers.get("retry-after"), "7");
    assertEquals(await first.json(), { error: { message: "slow down" } });
    assertEquals(await textOf(post(simulator, "/v1/files")), "handled");
    const second = await post(simulator, "/v1/batches");
    assertEquals(second.status, 429);
    await second.body?.cancel();
    assertEquals(await textOf(post(simulator, "/v1/batches")), "handled");
    assertEquals(handled.length, 2);
  });
});

for (
  const { cut, handledCount } of [
    { cut: "before", handledCount: 0 },
    { cut: "after", handledCount: 1 },
  ]
) {
  Deno.test(`a connection cut ${cut} handling gives no answer`, async () => {
    await withEcho(async (simulator, handled) => {
      await inject(simulator, [{ pathPrefix: "/v1/batches", cut }]);
      // Raw HTTP/1.1: fetch itself repeats a request whose connection broke.
      const client = await Deno.connect({
        hostname: "127.0.0.1",
        port: Number(new URL(simulator.url).port),
      });
      const request = "POST /v1/batches HTTP/1.1\r\nhost: x\r\n" +
        "content-length: 5\r\n\r\nhello";
      await client.write(new TextEncoder().encode(request));
      const answer = await client.read(new Uint8Array(1)).catch(() => null);
      client.close();
      assertEquals(answer, null);
      assertEquals(handled.length, handledCount);
      assertEquals(await textOf(post(simulator, "/v1/batches")), "handled");
    });
  });
}

Deno.test("a delayed answer is given up when the simulator closes", async () => {
  const simulator = await serveSimulator(
    {},
    () => Promise.resolve(new Response("handled")),
  );
  await inject(simulator, [{ delayMs: 500_000 }]);
  const answer = assertRejects(() => fetch(simulator.url));
  const before = performance.now();
  await simulator.close();
  await answer;
  assert(performance.now() - before < 10_000);
});

Deno.test("a delayed answer arrives late and whole", async () => {
  await withEcho(async (simulator) => {
    await inject(simulator, [{ delayMs: 30 }]);
    const before = performance.now();
    assertEquals(await textOf(post(simulator, "/")), "handled");
    assert(performance.now() - before >= 29);
  });
});

Deno.test("DELETE /__faults forgets every rule", async () => {
  await withEcho(async (simulator) => {
    await inject(simulator, [{ status: 500 }]);
    const url = `${simulator.url}/__faults`;
    await textOf(fetch(url, { method: "DELETE" }));
    assertEquals(await textOf(post(simulator, "/")), "handled");
  });
});

for (
  const { name, body } of [
    { name: "what is not JSON", body: "{" },
    { name: "what is not a list", body: "{}" },
    { name: "a member it does not know", body: `[{"stauts": 500}]` },
    { name: "a status out of range", body: `[{"status": 99}]` },
  ]
) {
  Deno.test(`POST /__faults refuses ${name}`, async () => {
    await withEcho(async (simulator) => {
      const url = `${simulator.url}/__faults`;
      const response = await fetch(url, { method: "POST", body });
      assertEquals(response.status, 400);
      await response.body?.cancel();
    });
  });
}

Deno.test("GET /__calls counts calls by route", async () => {
  await withEcho(async (simulator) => {
    await textOf(post(simulator, "/v1/files"));
    await textOf(fetch(`${simulator.url}/v1/files/file-a`));
    await textOf(fetch(`${simulator.url}/v1/files/file-b?x=1`));
    const calls = await fetch(`${simulator.url}/__calls`);
    assertEquals(await calls.json(), {
      "GET /v1/files/:id": 2,
      "POST /v1/files": 1,
    });
  });
});

for (
  const { path, want } of [
    { path: "/v1/files", want: "/v1/files" },
    { path: "/v1/files/file-abc/content", want: "/v1/files/:id/content" },
    { path: "/v1beta/batches/b1:cancel", want: "/v1beta/batches/:id:cancel" },
    {
      path: "/v1beta/models/gemini-2.5-flash:batchGenerateContent",
      want: "/v1beta/models/:id:batchGenerateContent",
    },
    {
      path: "/v1/messages/batches/msgbatch_1/results",
      want: "/v1/messages/batches/:id/results",
    },
    {
      path: "/model-invocation-job/arn%3Aaws%3Abedrock/stop",
      want: "/model-invocation-job/:id/stop",
    },
  ]
) {
  Deno.test(`routeOf() makes ${want} of ${path}`, () => {
    assertEquals(routeOf(new Request(`http://127.0.0.1${path}`)), want);
  });
}
