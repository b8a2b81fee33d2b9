import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { readBoundedBody } from "./bounded_body.ts";

const BOUNDS = { bytesMax: 8, idleMs: 20 };

function read(
  body: ReadableStream<Uint8Array> | null,
  headers: HeadersInit = {},
): Promise<Uint8Array> {
  return readBoundedBody({ body, headers: new Headers(headers) }, BOUNDS);
}

function chunks(...sizes: number[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(sizes.map((size) => new Uint8Array(size)));
}

Deno.test("readBoundedBody() takes exactly its bound", async () => {
  assertEquals((await read(chunks(3, 5))).length, 8);
});

Deno.test("readBoundedBody() takes no body for an empty one", async () => {
  assertEquals((await read(null)).length, 0);
});

Deno.test("readBoundedBody() stops at the first byte too many", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(5)),
    cancel: () => {
      cancelled = true;
    },
  });
  const error = await assertRejects(
    () => read(endless),
    GatewayError,
  );
  assertEquals(error.failure.kind, "entity_too_large");
  assert(cancelled);
});

Deno.test("readBoundedBody() does not wait for a silent client", async () => {
  const silent = new ReadableStream<Uint8Array>();
  const error = await assertRejects(
    () => read(silent),
    GatewayError,
  );
  assertEquals(error.failure.kind, "request_timeout");
});

Deno.test("readBoundedBody() says that a cut body is incomplete", async () => {
  const cut = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("connection reset")),
  });
  const error = await assertRejects(
    () => read(cut),
    GatewayError,
  );
  assertEquals(error.failure.kind, "incomplete_body");
});

Deno.test("readBoundedBody() waits for nothing of a body announced too large", async () => {
  const silent = new ReadableStream<Uint8Array>();
  const error = await assertRejects(
    () => read(silent, { "content-length": "9" }),
    GatewayError,
  );
  assertEquals(error.failure.kind, "entity_too_large");
});
