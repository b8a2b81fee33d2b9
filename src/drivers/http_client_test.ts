import { assert, assertEquals, assertRejects } from "@std/assert";
import type { DriverCall } from "../domain/driver.ts";
import { type FailureKind, GatewayError } from "../domain/failure.ts";
import {
  checkedBody,
  withBoundedBody,
  withDeadline,
  withRetries,
} from "./http_client.ts";
import { type Upstream, UpstreamError } from "./http_failure.ts";

const UPSTREAM: Upstream = {
  name: "OpenAI",
  secrets: [],
  bodyBytesMax: 1,
  isQuotaExhausted: () => false,
};

function newCall(signal = new AbortController().signal): DriverCall {
  return { requestId: "r", signal };
}

async function failureOf(work: () => Promise<unknown>): Promise<FailureKind> {
  const error: GatewayError = await assertRejects(work, GatewayError);
  return error.failure.kind;
}

function bodyOf(
  parts: readonly (string | Error)[],
): ReadableStream<Uint8Array> {
  const waiting = [...parts];
  return new ReadableStream({
    pull(controller): void {
      const part = waiting.shift();
      if (part === undefined) controller.close();
      else if (part instanceof Error) controller.error(part);
      else controller.enqueue(new TextEncoder().encode(part));
    },
  });
}

function answerOf(
  parts: readonly (string | Error)[],
  headers: Record<string, string>,
): Response {
  return new Response(bodyOf(parts), { headers });
}

for (
  const { name, headers } of [
    { name: "of the announced length", headers: { "content-length": "4" } },
    { name: "of unknown length", headers: {} },
    {
      name: "whose length counts packed bytes",
      headers: { "content-length": "99", "content-encoding": "gzip" },
    },
  ] as { name: string; headers: Record<string, string> }[]
) {
  Deno.test(`checkedBody() passes a body ${name}`, async () => {
    const body = checkedBody(
      answerOf(["ab", "cd"], headers),
      newCall(),
      UPSTREAM,
    );
    assertEquals(await new Response(body).text(), "abcd");
  });
}

for (
  const { name, parts } of [
    { name: "shorter than announced", parts: ["ab"] },
    { name: "longer than announced", parts: ["ab", "cd", "ef"] },
    { name: "that is cut", parts: ["ab", new TypeError("connection closed")] },
  ]
) {
  Deno.test(`checkedBody() fails a body ${name}`, async () => {
    const answer = answerOf(parts, { "content-length": "4" });
    const body = checkedBody(answer, newCall(), UPSTREAM);
    assertEquals(
      await failureOf(() => Array.fromAsync(body)),
      "upstream_unavailable",
    );
  });
}

Deno.test("checkedBody() ends with its call", async () => {
  const ending = new AbortController();
  const silent = new ReadableStream<Uint8Array>();
  const body = checkedBody(
    new Response(silent),
    newCall(ending.signal),
    UPSTREAM,
  );
  const reading = failureOf(() => Array.fromAsync(body));
  ending.abort();
  assertEquals(await reading, "upstream_timeout");
});

Deno.test("checkedBody() reads no further than it is read", async () => {
  let pulls = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller): void {
      pulls++;
      controller.enqueue(new Uint8Array(10));
    },
  }, { highWaterMark: 0 });
  const body = checkedBody(new Response(source), newCall(), UPSTREAM);
  const reader = body.getReader();
  await reader.read();
  await reader.read();
  assertEquals(pulls, 2);
  await reader.cancel();
});

Deno.test("withBoundedBody() errors a body that nobody could hold", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
    cancel: () => {
      cancelled = true;
    },
  });
  const bounded = withBoundedBody(new Response(endless, { status: 201 }));
  assertEquals(bounded.status, 201);
  await assertRejects(() => bounded.bytes(), UpstreamError);
  assert(cancelled);
});

Deno.test("withRetries() repeats what failed on the way, three times at most", async () => {
  for (
    const { failsFirst, kind, want } of [
      { failsFirst: 2, kind: "upstream_unavailable", want: 3 },
      { failsFirst: 9, kind: "upstream_failed", want: 3 },
      { failsFirst: 9, kind: "rate_limited", want: 1 },
      { failsFirst: 9, kind: "invalid_request", want: 1 },
      { failsFirst: 9, kind: "upstream_timeout", want: 1 },
    ] as const
  ) {
    let attempts = 0;
    const work = (): Promise<string> => {
      attempts++;
      if (attempts > failsFirst) return Promise.resolve("done");
      return Promise.reject(new GatewayError({ kind }, "x"));
    };
    const outcome = await withRetries(newCall(), work).catch((e) => e);
    assertEquals(attempts, want, kind);
    assertEquals(outcome === "done", failsFirst < want);
  }
});

Deno.test("withRetries() stops with its call", async () => {
  let attempts = 0;
  const call = newCall(AbortSignal.abort());
  await assertRejects(() =>
    withRetries(call, () => {
      attempts++;
      const failure = { kind: "upstream_unavailable" } as const;
      return Promise.reject(new GatewayError(failure, "x"));
    })
  );
  assertEquals(attempts, 1);
});

Deno.test("withDeadline() aborts late work, and not what it resolved to", async () => {
  const late = await withDeadline(
    newCall(),
    1,
    (signal) =>
      new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve("aborted"))
      ),
  );
  assertEquals(late, "aborted");

  const signal = await withDeadline(
    newCall(),
    60_000,
    (signal) => Promise.resolve(signal),
  );
  assert(!signal.aborted);
});
