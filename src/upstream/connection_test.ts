import { assert, assertEquals, assertRejects } from "@std/assert";
import { Connection, connectToAny } from "./connection.ts";
import { ScriptedServer } from "./scripted_server_fixture.ts";
import {
  ConnectionError,
  type HttpRequest,
  HttpTransport,
} from "./transport.ts";

const REFUSAL = "HTTP/1.1 412 Precondition Failed\r\n" +
  "connection: close\r\ncontent-length: 2\r\n\r\nno";
const UPLOAD_BYTES = 1_000_000;
const PIECE_BYTES = 50_000;
/** The race between answer and failed write has to be won every time. */
const ROUNDS = 20;

/** Comes at a client's pace, so that writes follow the server's goodbye. */
async function* pieces(): AsyncGenerator<Uint8Array, void, void> {
  for (let count = UPLOAD_BYTES / PIECE_BYTES; count > 0; count--) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    yield new Uint8Array(PIECE_BYTES);
  }
}

function upload(server: ScriptedServer): HttpRequest {
  return {
    origin: server.origin,
    method: "PUT",
    target: "/b/k",
    headers: { host: "s3", "content-length": String(UPLOAD_BYTES) },
    body: pieces(),
  };
}

Deno.test("a server that answers and hangs up on an upload is heard", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await peer.readHead();
    // Closing with unread bytes resets the connection.
    await peer.write(REFUSAL);
  });
  const transport = new HttpTransport();
  for (let round = 0; round < ROUNDS; round++) {
    const { status, body } = await transport.send(
      upload(server),
      new AbortController().signal,
    );
    assertEquals(status, 412);
    assertEquals(await new Response(body).text(), "no");
  }
  transport.close();
});

Deno.test("a server that hangs up without a word is a failure", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await peer.readHead();
  });
  const transport = new HttpTransport();
  await assertRejects(
    () => transport.send(upload(server), new AbortController().signal),
    ConnectionError,
  );
  transport.close();
});

Deno.test("a connection hands over bytes both ways until it is closed", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await peer.write(`heard: ${await peer.readBody(5)}`);
  });
  const connection = await Connection.open(server.origin);
  connection.write("hello");
  let text = "";
  for await (const piece of connection) text += piece;
  assertEquals(text, "heard: hello");
  assert(connection.destroyed);
});

Deno.test("a port where nobody listens refuses a connection", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const origin = { secure: false, hostname: "127.0.0.1", port };
  await assertRejects(
    () => Connection.open(origin),
    Deno.errors.ConnectionRefused,
  );
});

Deno.test("connectToAny() passes over an address where nobody listens", async () => {
  await using server = new ScriptedServer((peer) => peer.write("here"));
  const conn = await connectToAny(["::1", "127.0.0.1"], server.port);
  assertEquals(await conn.read(new Uint8Array(10)), "here".length);
  conn.close();
});
