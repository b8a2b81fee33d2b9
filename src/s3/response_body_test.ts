import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { guardResponseBody } from "./response_body.ts";

const STALL_MS = 1000;
const report = () => {};

function chunks(...sizes: number[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(sizes.map((size) => new Uint8Array(size)));
}

async function lengthOf(stream: ReadableStream<Uint8Array>): Promise<number> {
  return (await new Response(stream as BodyInit).bytes()).length;
}

for (const sizeBytes of [5, null]) {
  Deno.test(`a body passes whole where ${sizeBytes} was promised`, async () => {
    const guarded = guardResponseBody(chunks(2, 3), {
      sizeBytes,
      stallMs: STALL_MS,
      report,
    });
    assertEquals(await lengthOf(guarded), 5);
  });
}

for (
  const { name, source } of [
    { name: "ends early", source: chunks(2, 2) },
    { name: "runs long", source: chunks(2, 3, 1) },
  ]
) {
  Deno.test(`a body that ${name} fails instead of ending`, async () => {
    const guarded = guardResponseBody(source, {
      sizeBytes: 5,
      stallMs: STALL_MS,
      report,
    });
    await assertRejects(() => lengthOf(guarded), GatewayError);
  });
}

Deno.test("a source that breaks breaks the body", async () => {
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("upstream broke")),
  });
  const guarded = guardResponseBody(source, {
    sizeBytes: 5,
    stallMs: STALL_MS,
    report,
  });
  await assertRejects(() => lengthOf(guarded), Error, "upstream broke");
});

function endless() {
  const state = { reason: undefined as unknown };
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel(reason) {
      state.reason = reason;
    },
  });
  return { stream, state };
}

Deno.test("a client that goes away cancels the source", async () => {
  const { stream, state } = endless();
  const guarded = guardResponseBody(stream, {
    sizeBytes: null,
    stallMs: STALL_MS,
    report,
  });
  const reader = guarded.getReader();
  await reader.read();
  await reader.cancel("gone");
  assertEquals(state.reason, "gone");
});

Deno.test("a client that stops reading loses the body", async () => {
  const { stream, state } = endless();
  const reported: unknown[] = [];
  const guarded = guardResponseBody(stream, {
    sizeBytes: null,
    stallMs: 10,
    report: (error) => reported.push(error),
  });
  const reader = guarded.getReader();
  await reader.read();
  await assertRejects(() => reader.closed, GatewayError, "read nothing");
  assert(state.reason instanceof GatewayError);
  assertEquals(reported, [state.reason]);
});
