import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Peer, ScriptedServer } from "./scripted_server_fixture.ts";
import { ConnectionError, HttpTransport } from "./transport.ts";
import {
  createTransportFetch,
  type TransportFetch,
} from "./transport_fetch.ts";

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"ok":true}';

/** `fetch` over a transport of its own, and a server that acts as told. */
function fetchTest(
  name: string,
  script: (peer: Peer, index: number) => Promise<void>,
  check: (
    fetch: TransportFetch,
    url: string,
    server: ScriptedServer,
  ) => Promise<void>,
): void {
  Deno.test(`createTransportFetch(): ${name}`, async () => {
    await using server = new ScriptedServer(script);
    const transport = new HttpTransport();
    const url = `http://127.0.0.1:${server.port}/v1/files?a=b`;
    try {
      await check(createTransportFetch(transport), url, server);
    } finally {
      transport.close();
    }
  });
}

/** Answers with the request's head and as many bytes as it announces. */
async function echo(peer: Peer): Promise<void> {
  const head = await peer.readHead();
  const sizeBytes = /\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? "0";
  const text = head + await peer.readBody(Number(sizeBytes));
  await peer.write(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${text}`);
}

for (
  const { name, body, headers } of [
    { name: "text", body: () => "hëllo", headers: {} },
    {
      name: "bytes",
      body: () => new TextEncoder().encode("hëllo"),
      headers: {},
    },
    {
      name: "a stream of a given length",
      body: () => streamOf(["hë", "llo"]),
      headers: { "content-length": "6" },
    },
  ] as {
    name: string;
    body: () => BodyInit;
    headers: Record<string, string>;
  }[]
) {
  fetchTest(
    `${name} is sent with its Content-Length`,
    echo,
    async (fetch, url) => {
      const response = await fetch(url, {
        method: "POST",
        headers: { ...headers, "x-custom": "1" },
        body: body(),
      });
      const text = await response.text();
      assert(text.startsWith("POST /v1/files?a=b HTTP/1.1\r\n"), text);
      assert(/\r\nhost: 127\.0\.0\.1:\d+\r\n/.test(text), text);
      assert(/\r\ncontent-length: 6\r\n/.test(text), text);
      assert(/\r\nx-custom: 1\r\n/.test(text), text);
      assert(!/transfer-encoding/i.test(text), text);
      assert(text.endsWith("\r\n\r\nhëllo"), text);
    },
  );
}

fetchTest(
  "what cannot be sent is refused, and nothing is",
  async (peer) => assertEquals(await peer.read(), ""),
  async (fetch, url, server) => {
    const post = { method: "POST" };
    const refused: Parameters<TransportFetch>[] = [
      [new Request(url)],
      [url, { ...post, body: new URLSearchParams("a=b") }],
      [url, { ...post, body: streamOf(["a"]) }],
    ];
    for (const [input, init] of refused) {
      await assertRejects(() => fetch(input, init), TypeError);
    }
    assertEquals(server.connectionCount, 0);
  },
);

fetchTest(
  "a body that errors is never whole for the server",
  async (peer) => {
    await peer.readHead();
    assertEquals(await peer.readBody(11), "hello");
  },
  async (fetch, url) => {
    const failure = new Error("bad digest");
    const rejected = await assertRejects(() =>
      fetch(url, {
        method: "POST",
        headers: { "content-length": "11" },
        body: streamOf(["hello"], failure),
      })
    );
    assertEquals(rejected, failure);
  },
);

fetchTest(
  "an answer before the end of the request comes whole, and the body is let go",
  async (peer) => {
    await peer.readHead();
    await peer.write("HTTP/1.1 413 Large\r\ncontent-length: 4\r\n\r\n{");
    // What is left of the answer arrives after the body was let go.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await peer.write(' "}');
    await peer.read();
  },
  async (fetch, url) => {
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-length": "99999999" },
      body: new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new Uint8Array(10)),
        pull: () => new Promise(() => {}),
        cancel: () => resolve(),
      }),
    });
    assertEquals([response.status, await response.text()], [413, '{ "}']);
    await cancelled;
  },
);

fetchTest(
  "a cut connection is told, and nothing is sent twice",
  async (peer) => {
    await peer.readHead();
    await peer.readBody(5);
  },
  async (fetch, url, server) => {
    await assertRejects(
      () => fetch(url, { method: "POST", body: "hello" }),
      ConnectionError,
    );
    assertEquals(server.connectionCount, 1);
  },
);

fetchTest(
  "an aborted signal ends it with its reason, and the body is let go",
  async (peer) => {
    await peer.read();
  },
  async (fetch, url) => {
    let cancelled = false;
    const reason = new Error("enough");
    const body = new ReadableStream<Uint8Array>({
      cancel: () => {
        cancelled = true;
      },
    });
    const rejected = await assertRejects(() =>
      fetch(url, {
        method: "POST",
        headers: { "content-length": "11" },
        body,
        signal: AbortSignal.abort(reason),
      })
    );
    assertEquals([rejected, cancelled], [reason, true]);
  },
);

fetchTest(
  "a body is taken at the pace of the server",
  async (peer) => {
    await peer.readHead();
    await new Promise((resolve) => setTimeout(resolve, 300));
  },
  async (fetch, url) => {
    const sizeBytes = 64 * 1024 * 1024;
    let producedBytes = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller): void {
        producedBytes += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    }, { highWaterMark: 0 });
    const headers = { "content-length": String(sizeBytes) };
    await assertRejects(
      () => fetch(url, { method: "POST", headers, body }),
      ConnectionError,
    );
    assert(producedBytes < sizeBytes / 2, `took ${producedBytes} bytes`);
  },
);

fetchTest(
  "a GET follows a redirect, and takes no key to another host",
  async (peer) => {
    const head = await peer.readHead();
    if (head.startsWith("GET /next")) return await peer.write(echoed(head));
    const port = /\r\nhost: [^:]+:(\d+)/.exec(head)?.[1];
    const host = head.includes("/away") ? `http://localhost:${port}` : "";
    await peer.write(
      `HTTP/1.1 302 Found\r\nlocation: ${host}/next\r\n` +
        "connection: close\r\ncontent-length: 0\r\n\r\n",
    );
  },
  async (fetch, url) => {
    const headers = { "x-api-key": "secret", "range": "bytes=0-1" };
    const home = await (await fetch(url, { headers })).text();
    assert(home.includes("secret") && home.includes("bytes=0-1"), home);
    const away = new URL("/away", url);
    const text = await (await fetch(away, { headers })).text();
    assert(!text.includes("secret") && text.includes("bytes=0-1"), text);
    const post = await fetch(url, { method: "POST", body: "a" });
    assertEquals(post.status, 302);
  },
);

fetchTest(
  "answers without a body are what the standard wants",
  async (peer) => {
    await peer.readHead();
    await peer.write("HTTP/1.1 204 No\r\nconnection: close\r\n\r\n");
  },
  async (fetch, url) => {
    const response = await fetch(url, { method: "DELETE" });
    assertEquals([response.status, response.body], [204, null]);
  },
);

fetchTest(
  "a kept connection serves the next request",
  async (peer) => {
    while (await peer.readHead() !== "") await peer.write(OK);
  },
  async (fetch, url, server) => {
    for (let count = 0; count < 3; count++) {
      assertEquals(await (await fetch(url)).json(), { ok: true });
      // undici frees a connection in the turn after the answer's end.
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals(server.connectionCount, 1);
  },
);

function echoed(text: string): string {
  return `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${text}`;
}

function streamOf(
  texts: readonly string[],
  error?: Error,
): ReadableStream<Uint8Array> {
  const waiting = [...texts];
  return new ReadableStream({
    async pull(controller): Promise<void> {
      const text = waiting.shift();
      if (text !== undefined) {
        controller.enqueue(new TextEncoder().encode(text));
      } else if (error !== undefined) {
        // What was sent has arrived by then.
        await new Promise((resolve) => setTimeout(resolve, 20));
        controller.error(error);
      } else controller.close();
    },
  });
}
