import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { RequestBody } from "./request_body.ts";

/** A source of `count` chunks of 1 KiB that tells what became of it. */
function source(count: number) {
  const state = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (state.pulled === count) return controller.close();
      state.pulled++;
      controller.enqueue(new Uint8Array(1024));
    },
    cancel() {
      state.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { stream, state };
}

const IDLE_MS = 1000;

Deno.test("a body passes through and is counted", async () => {
  const { stream } = source(3);
  const body = new RequestBody(stream, IDLE_MS);
  const bytes = await new Response(body.stream as BodyInit).bytes();
  assertEquals([bytes.length, body.sizeBytes], [3072, 3072]);
  await body.settle();
});

Deno.test("a body is pulled no faster than it is read", async () => {
  const { stream, state } = source(100);
  const body = new RequestBody(stream, IDLE_MS);
  const reader = body.stream?.getReader();
  await reader?.read();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(state.pulled, 1);
  await reader?.cancel();
  await body.settle();
});

Deno.test("settle() reads a body that nobody read", async () => {
  const { stream, state } = source(5);
  const body = new RequestBody(stream, IDLE_MS);
  await body.settle();
  assertEquals([state.pulled, body.sizeBytes], [5, 5 * 1024]);
});

Deno.test("settle() reads on where a reader gave up", async () => {
  const { stream, state } = source(5);
  const body = new RequestBody(stream, IDLE_MS);
  const reader = body.stream?.getReader();
  await reader?.read();
  await reader?.cancel("not wanted");
  await body.settle();
  assertEquals([state.pulled, state.cancelled], [5, false]);
});

Deno.test("settle() lets go of a body that does not end", async () => {
  const { stream, state } = source(Infinity);
  const body = new RequestBody(stream, IDLE_MS);
  await body.settle();
  assert(state.cancelled);
});

Deno.test("a client that falls silent ends the body with request_timeout", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel() {
      cancelled = true;
    },
  });
  const body = new RequestBody(stream, 20);
  const error = await assertRejects(
    () => new Response(body.stream as BodyInit).bytes(),
    GatewayError,
  );
  assertEquals(error.failure.kind, "request_timeout");
  await body.settle();
  assert(cancelled);
});

Deno.test("a client that goes away ends the body with incomplete_body", async () => {
  const stream = new ReadableStream<Uint8Array>({
    pull() {
      throw new Error("connection reset");
    },
  });
  const body = new RequestBody(stream, IDLE_MS);
  const error = await assertRejects(
    () => new Response(body.stream as BodyInit).bytes(),
    GatewayError,
  );
  assertEquals(error.failure.kind, "incomplete_body");
  await body.settle();
});

Deno.test("no body is no stream", async () => {
  const body = new RequestBody(null, IDLE_MS);
  await body.settle();
  assertEquals(body.stream, null);
});
