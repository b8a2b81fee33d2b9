import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectionError } from "./transport.ts";
import type { HttpRequest } from "./transport.ts";
import { type Peer, ScriptedServer } from "./scripted_server_fixture.ts";
import { type HttpAnswer, HttpTransport } from "./transport.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const KEY = "/b/../x//y/./z%2F%C3%BC?list-type=2&a=";

interface Scene {
  readonly server: ScriptedServer;
  send(
    change?: Partial<HttpRequest>,
    signal?: AbortSignal,
  ): Promise<HttpAnswer>;
}

/** A transport, and a server that acts as `script` says. */
function transportTest(
  name: string,
  script: (peer: Peer, index: number) => Promise<void>,
  check: (scene: Scene) => Promise<void>,
): void {
  Deno.test({
    name: `HttpTransport: ${name}`,
    async fn() {
      await using server = new ScriptedServer(script);
      const transport = new HttpTransport();
      try {
        await check({
          server,
          send: (change = {}, signal = new AbortController().signal) =>
            transport.send({
              origin: server.origin,
              method: "GET",
              target: "/",
              headers: { host: "s3" },
              body: null,
              ...change,
            }, signal),
        });
      } finally {
        transport.close();
      }
    },
  });
}

// --------------------------------------------------------------- requests

transportTest(
  "target and headers reach the wire to the letter",
  async (peer) => {
    const head = await peer.readHead();
    await peer.write(`HTTP/1.1 200 OK\r\n\r\n${head}`);
  },
  async ({ send }) => {
    const headers = { host: "s3:80", "x-amz-meta-a": "caf\xc3\xa9  b" };
    const { body } = await send({ target: KEY, headers });
    assertEquals(
      await textOf(body),
      `GET ${KEY} HTTP/1.1\r\nhost: s3:80\r\nconnection: keep-alive\r\nx-amz-meta-a: caf\xc3\xa9  b\r\n\r\n`,
    );
  },
);

transportTest(
  "nothing that would start another header or request is sent",
  async (peer) => {
    assertEquals(await peer.read(), "");
  },
  async ({ send }) => {
    const broken: Partial<HttpRequest>[] = [
      { target: "/a b" },
      { target: "/a\r\nx: y" },
      { headers: { "x-a": "b\r\nc: d" } },
      { headers: { "x-a": "\u0100" } },
      { headers: { "x a": "b" } },
    ];
    for (const change of broken) {
      await assertRejects(() => send(change), TypeError);
    }
  },
);

transportTest(
  "a streamed body is sent as it is",
  async (peer) => {
    await peer.readHead();
    const text = await peer.readBody(6);
    await peer.write(`HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n${text}`);
  },
  async ({ send }) => {
    const answer = await send(upload(["ab", "cd", "ef"]));
    assertEquals([await textOf(answer.body), answer.early], ["abcdef", false]);
  },
);

transportTest(
  "a body that errors cuts the request short",
  async (peer) => {
    await peer.readHead();
    assertEquals(await peer.readBody(1_000_000), "ab");
  },
  async ({ send }) => {
    const error = new Error("client gone");
    async function* body(): AsyncGenerator<Uint8Array, void, void> {
      yield encode("ab");
      // The server has seen the first part before the second fails.
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw error;
    }
    const rejected = await assertRejects(
      () => send({ ...upload([]), headers: lengthOf(100), body: body() }),
    );
    assertEquals(rejected, error);
  },
);

// ----------------------------------------------------------- early answers

transportTest(
  "an answer before the end of the request is heard",
  async (peer) => {
    await peer.readHead();
    await peer.write("HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno");
    // Closing with unread bytes would reset the connection.
    while (await peer.read() !== "");
  },
  async ({ server, send }) => {
    let chunkCount = 0;
    async function* body(): AsyncGenerator<Uint8Array, void, void> {
      for (;; chunkCount++) yield await Promise.resolve(new Uint8Array(65_536));
    }
    const request = { method: "PUT", headers: lengthOf(1e12), body: body() };
    const answer = await send(request);
    assertEquals([answer.status, answer.early], [403, true]);
    assertEquals(await textOf(answer.body), "no");
    // A refusal that comes at once spares nearly all of the upload.
    assert(chunkCount < 1_000, `${chunkCount} chunks were read`);
    const next = await send({ ...request, body: body() });
    await next.body.cancel();
    assertEquals(server.connectionCount, 2);
  },
);

// ---------------------------------------------------------------- answers

for (
  const { name, method, answer, text } of [
    { name: "a length", answer: OK, text: "ok" },
    {
      name: "chunks",
      answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n",
      text: "abc0123456789",
    },
    {
      name: "the connection's end",
      answer: "HTTP/1.0 200 OK\r\n\r\nabc",
      text: "abc",
    },
    {
      name: "nothing, for HEAD",
      method: "HEAD",
      answer: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
      text: "",
    },
    { name: "nothing, for 204", answer: "HTTP/1.1 204 No\r\n\r\n", text: "" },
    {
      name: "nothing, for 304",
      answer: "HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n",
      text: "",
    },
    {
      name: "no reason phrase",
      answer: "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
      text: "",
    },
  ]
) {
  transportTest(
    `an answer delimited by ${name} is read, in pieces of any size`,
    async (peer, index) => {
      await peer.readHead();
      const size = [1, 2, 1_000][index] ?? 1;
      for (let offset = 0; offset < answer.length; offset += size) {
        await peer.write(answer.slice(offset, offset + size));
      }
    },
    async ({ send }) => {
      for (let round = 0; round < 3; round++) {
        const { body } = await send({ method: method ?? "GET" });
        assertEquals(await textOf(body), text);
      }
    },
  );
}

for (
  const { name, answer } of [
    { name: "nothing", answer: "" },
    { name: "half a head", answer: "HTTP/1.1 200 OK\r\ncont" },
    { name: "no HTTP", answer: "220 mail.example ESMTP\r\n\r\n" },
    {
      name: "a head without end",
      answer: `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}`,
    },
    {
      name: "a length that is no number",
      answer: "HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n",
    },
    {
      name: "interim answers only",
      answer: "HTTP/1.1 102 Wait\r\n\r\n".repeat(30),
    },
  ]
) {
  transportTest(
    `a server that says ${name} is a ConnectionError`,
    async (peer) => {
      await peer.readHead();
      await peer.write(answer);
    },
    async ({ send }) => {
      await assertRejects(async () => {
        const { body } = await send();
        await textOf(body);
      }, ConnectionError);
    },
  );
}

for (
  const { name, answer } of [
    {
      name: "of a length",
      answer: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
    },
    {
      name: "in chunks",
      answer: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc",
    },
    {
      name: "between chunks",
      answer:
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    },
    {
      name: "with a broken chunk",
      answer:
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n",
    },
  ]
) {
  transportTest(
    `a body ${name} that is cut errors`,
    async (peer) => {
      await peer.readHead();
      await peer.write(answer);
    },
    async ({ send }) => {
      const { body } = await send();
      await assertRejects(() => textOf(body), ConnectionError);
    },
  );
}

// ------------------------------------------------------------- connections

transportTest(
  "a connection is used again, but not once the server has closed it",
  async (peer, index) => {
    for (let count = 0; count < 2; count++) {
      if (await peer.readHead() === "") return;
      const text = `${index}${count}`;
      await peer.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${text}`);
    }
  },
  async ({ send }) => {
    const texts: string[] = [];
    for (let count = 0; count < 4; count++) {
      texts.push(await textOf((await send()).body));
      // The end of a resting connection has to arrive.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(texts, ["00", "01", "10", "11"]);
  },
);

transportTest(
  "a connection that the server wants closed is not used again",
  async (peer) => {
    await peer.readHead();
    await peer.write(
      "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    );
    await peer.read();
  },
  async ({ server, send }) => {
    for (let count = 0; count < 3; count++) await textOf((await send()).body);
    assertEquals(server.connectionCount, 3);
  },
);

transportTest(
  "cancelling a body closes the connection",
  async (peer) => {
    await peer.readHead();
    await peer.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc");
    assertEquals(await peer.read(), "");
  },
  async ({ send }) => {
    const reader = (await send()).body.getReader();
    assertEquals((await reader.read()).value?.length, 3);
    await reader.cancel();
  },
);

for (const when of ["before the answer", "within the answer"] as const) {
  transportTest(
    `an abort ${when} ends it with the signal's reason`,
    async (peer) => {
      await peer.readHead();
      if (when === "within the answer") {
        await peer.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc");
      }
      assertEquals(await peer.read(), "");
    },
    async ({ send }) => {
      const abort = new AbortController();
      const reason = new Error("enough");
      setTimeout(() => abort.abort(reason), 20);
      const rejected = await assertRejects(async () => {
        const { body } = await send({}, abort.signal);
        await textOf(body);
      });
      assertEquals(rejected, reason);
    },
  );
}

Deno.test("HttpTransport: a port where nobody listens is a ConnectionError", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const origin = { secure: false, hostname: "127.0.0.1", port };
  const request = {
    origin,
    method: "GET",
    target: "/",
    headers: {},
    body: null,
  };
  const transport = new HttpTransport();
  await assertRejects(
    () => transport.send(request, new AbortController().signal),
    ConnectionError,
  );
  transport.close();
});

// ------------------------------------------------------------------ steps

function upload(pieces: readonly string[]): Partial<HttpRequest> {
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    for (const piece of pieces) yield encode(piece);
  }
  return {
    method: "PUT",
    headers: lengthOf(pieces.join("").length),
    body: chunks(),
  };
}

function lengthOf(sizeBytes: number): Record<string, string> {
  return { host: "s3", "content-length": String(sizeBytes) };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** One character a byte. */
async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of body) {
    for (const byte of chunk) text += String.fromCharCode(byte);
  }
  return text;
}
