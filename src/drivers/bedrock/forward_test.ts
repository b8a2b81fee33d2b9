import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../../domain/failure.ts";
import {
  ACCESS_KEY_ID,
  answer,
  forwardTest,
  OK,
  textOf,
  xmlAnswer,
} from "./forward_fixture.ts";

// ---------------------------------------------------------------- answers

forwardTest(
  "status, body and the caller's headers come back, S3's own do not",
  (peer) =>
    answer(peer, "206 Partial", "abc", {
      "ETag": '"e"',
      "Content-Type": "text/plain",
      "Content-Range": "bytes 0-2/9",
      "Cache-Control": "no-cache",
      "x-amz-meta-a": "caf\u00c3\u00a9",
      "x-amz-version-id": "v",
      "x-amz-request-id": "hidden",
      "x-amz-id-2": "hidden",
      "Server": "hidden",
      "Set-Cookie": "hidden",
      "Connection": "keep-alive",
    }),
  async ({ forward }) => {
    const response = await forward();
    assertEquals(response.status, 206);
    assertEquals(response.headers, {
      "etag": '"e"',
      "content-type": "text/plain",
      "content-range": "bytes 0-2/9",
      "content-length": "3",
      "cache-control": "no-cache",
      "x-amz-meta-a": "caf\u00c3\u00a9",
      "x-amz-version-id": "v",
    });
    assertEquals(await textOf(response), "abc");
  },
);

const NO_SUCH_KEY = '<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code>' +
  "<Message>It is not there.</Message><Key>k&amp;\u00c3\u00a9</Key></Error>";

forwardTest(
  "an error of S3's comes back to the letter",
  (peer) => answer(peer, "404 Not Found", NO_SUCH_KEY),
  async ({ forward }) => {
    const response = await forward();
    assertEquals(response.status, 404);
    assertEquals(await textOf(response), NO_SUCH_KEY);
    assertEquals(response.headers["content-length"], `${NO_SUCH_KEY.length}`);
  },
);

for (const status of [304, 404, 412, 500]) {
  forwardTest(
    `HEAD and ${status} have no body, and keep the connection`,
    async (peer) => {
      while (await peer.readHead() !== "") {
        await peer.write(`HTTP/1.1 ${status} X\r\ncontent-length: 7\r\n\r\n`);
      }
    },
    async ({ server, forward }) => {
      for (let round = 0; round < 2; round++) {
        const { body, ...response } = await forward({ method: "HEAD" });
        assertEquals([response.status, body], [status, null]);
        assertEquals(response.headers["content-length"], "7");
      }
      assertEquals(server.connectionCount, 1);
    },
  );
}

for (
  const code of [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthorizationHeaderMalformed",
    "RequestTimeTooSkewed",
  ]
) {
  forwardTest(
    `${code} is about the gateway, and stays with it`,
    (peer) =>
      answer(
        peer,
        "403 Forbidden",
        `<Error><Code>${code}</Code><Message>${ACCESS_KEY_ID}</Message>` +
          `<StringToSign>AWS4 secret</StringToSign></Error>`,
      ),
    async ({ forward }) => {
      const error = await assertRejects(() => forward(), GatewayError);
      assertEquals(error.failure, { kind: "access_denied" });
      assert(error.message.includes(code));
      assert(!/AKID|secret|AWS4/.test(error.message), error.message);
    },
  );
}

for (
  const { status, kind } of [
    { status: "400 Bad", kind: "invalid_request" },
    { status: "403 No", kind: "access_denied" },
    { status: "404 No", kind: "no_such_key" },
    { status: "500 No", kind: "upstream_failed" },
    { status: "502 No", kind: "upstream_unavailable" },
    { status: "503 No", kind: "upstream_unavailable" },
    { status: "504 No", kind: "upstream_timeout" },
  ]
) {
  forwardTest(
    `${status} without S3's XML is a failure of its own`,
    (peer) => answer(peer, status, "<html>proxy at 10.0.0.7</html>"),
    async ({ forward }) => {
      const error = await assertRejects(() => forward(), GatewayError);
      assertEquals(error.failure.kind, kind);
      assert(!error.message.includes("10.0.0.7"));
    },
  );
}

forwardTest(
  "an error without end is not gathered",
  (peer) => answer(peer, "500 No", `<Error><Code>${"x".repeat(100_000)}`),
  async ({ forward }) => {
    const error = await assertRejects(() => forward(), GatewayError);
    assertEquals(error.failure, { kind: "upstream_failed", status: 500 });
  },
);

forwardTest(
  "a body that is cut errors as unavailable",
  async (peer) => {
    await peer.readHead();
    await peer.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
  },
  async ({ forward }) => {
    const response = await forward();
    const error = await assertRejects(() => textOf(response), GatewayError);
    assertEquals(error.failure, { kind: "upstream_unavailable" });
  },
);

forwardTest(
  "the call's end destroys the connection",
  async (peer) => {
    await peer.readHead();
    await peer.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    assertEquals(await peer.read(), "");
  },
  async ({ forward }) => {
    const abort = new AbortController();
    const response = await forward({}, abort.signal);
    const reader = response.body?.getReader();
    await reader?.read();
    abort.abort();
    const error = await assertRejects(async () => {
      await reader?.read();
    }, GatewayError);
    assertEquals(error.failure, { kind: "upstream_timeout" });
  },
);

forwardTest(
  "a read is tried again where a connection is lost, a write is not",
  async (peer, index) => {
    const head = await peer.readHead();
    if (head.startsWith("GET") && index > 0) await peer.write(OK);
  },
  async ({ server, forward }) => {
    assertEquals(await textOf(await forward()), "ok");
    assertEquals(server.connectionCount, 2);
    for (const method of ["PUT", "POST", "DELETE"] as const) {
      const before = server.connectionCount;
      const error = await assertRejects(
        () => forward({ method }),
        GatewayError,
      );
      assertEquals(error.failure, { kind: "upstream_unavailable" });
      assertEquals(server.connectionCount, before + 1);
    }
  },
);

// ----------------------------------------------------------------- bodies

forwardTest(
  "a body that errors at its end is never whole for S3",
  async (peer) => {
    await peer.readHead();
    const text = await peer.readBody(100);
    assert(text.length < 100, "the last bytes were withheld");
  },
  async ({ forward }) => {
    const failure = new GatewayError({ kind: "payload_hash_mismatch" }, "bad");
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let count = 0; count < 10; count++) {
          controller.enqueue(new Uint8Array(10));
        }
      },
      pull: (controller) => controller.error(failure),
    });
    const body = { stream, sizeBytes: 100 };
    const error = await assertRejects(() => forward({ method: "PUT", body }));
    assertEquals(error, failure);
  },
);

forwardTest(
  "an empty body that errors sends nothing at all",
  async (peer) => {
    assertEquals(await peer.read(), "");
  },
  async ({ server, forward }) => {
    const failure = new GatewayError({ kind: "payload_hash_mismatch" }, "bad");
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(failure),
    });
    const body = { stream, sizeBytes: 0 };
    const error = await assertRejects(() => forward({ method: "PUT", body }));
    assertEquals(error, failure);
    assertEquals(server.connectionCount, 0);
  },
);

forwardTest(
  "an early refusal of an upload comes back, and the body is let go",
  async (peer) => {
    await peer.readHead();
    await peer.write(xmlAnswer("403 Forbidden", "AccessDenied"));
    await peer.read();
  },
  async ({ forward }) => {
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    const stream = new ReadableStream<Uint8Array>({
      start(controller): void {
        // The head travels with the first bytes that may go.
        controller.enqueue(new Uint8Array(10));
        controller.enqueue(new Uint8Array(10));
      },
      pull: () => new Promise(() => {}),
      cancel: () => resolve(),
    });
    const body = { stream, sizeBytes: 1_000 };
    const response = await forward({ method: "PUT", body });
    assertEquals(response.status, 403);
    assert((await textOf(response)).includes("AccessDenied"));
    await cancelled;
  },
);
