import { assertEquals } from "@std/assert";
import {
  readErrorAnswer,
  readRetryAfterMs,
  toUpstreamAnswer,
} from "./upstream_answer.ts";

for (
  const { name, body, codes, message } of [
    {
      name: "OpenAI's error",
      body: {
        error: {
          message: "No quota.",
          type: "insufficient_quota",
          param: null,
          code: "quota_code",
        },
      },
      codes: ["quota_code", "insufficient_quota"],
      message: "No quota.",
    },
    {
      name: "Google's error",
      body: {
        error: {
          code: 429,
          message: "Too much.",
          status: "RESOURCE_EXHAUSTED",
          details: [
            { "@type": "ErrorInfo", reason: "RATE_LIMIT_EXCEEDED" },
            {
              "@type": "QuotaFailure",
              violations: [{ quotaId: "RequestsPerDay" }],
            },
          ],
        },
      },
      codes: [
        "429",
        "RESOURCE_EXHAUSTED",
        "RATE_LIMIT_EXCEEDED",
        "RequestsPerDay",
      ],
      message: "Too much.",
    },
    {
      name: "Google's error in a list",
      body: [{ error: { code: 400, message: "Bad.", status: "X" } }],
      codes: ["400", "X"],
      message: "Bad.",
    },
    {
      name: "Anthropic's error",
      body: {
        type: "error",
        error: { type: "not_found_error", message: "model: x" },
        request_id: "req_1",
      },
      codes: ["not_found_error"],
      message: "model: x",
    },
    {
      name: "an error that is a text",
      body: { error: "nope" },
      codes: [],
      message: "nope",
    },
    {
      name: "a bare message",
      body: { message: "nope" },
      codes: [],
      message: "nope",
    },
    {
      name: "FastAPI's detail",
      body: { detail: "Not Found" },
      codes: [],
      message: "Not Found",
    },
    {
      name: "FastAPI's list of details",
      body: { detail: [{ loc: ["query"], msg: "bad" }] },
      codes: [],
      message: '[{"loc":["query"],"msg":"bad"}]',
    },
    { name: "another JSON value", body: 17, codes: [], message: null },
    {
      name: "members of other types",
      body: { error: { message: 5, code: {}, details: "x" } },
      codes: [],
      message: null,
    },
  ]
) {
  Deno.test(`toUpstreamAnswer() reads ${name}`, () => {
    const answer = toUpstreamAnswer(
      429,
      new Headers(),
      JSON.stringify(body),
    );
    assertEquals(answer, { status: 429, codes, message, retryAfterMs: null });
  });
}

Deno.test("toUpstreamAnswer() keeps a page of HTML to itself", () => {
  const answer = toUpstreamAnswer(502, new Headers(), "<html>oops</html>");
  assertEquals(answer.message, null);
});

Deno.test("toUpstreamAnswer() reads the wait of Google's RetryInfo", () => {
  const body = { error: { code: 429, details: [{ retryDelay: "34.5s" }] } };
  const answer = toUpstreamAnswer(429, new Headers(), JSON.stringify(body));
  assertEquals(answer.retryAfterMs, 34_500);
});

for (
  const { name, headers, want } of [
    { name: "none", headers: {}, want: null },
    { name: "seconds", headers: { "retry-after": "7" }, want: 7000 },
    {
      name: "milliseconds before seconds",
      headers: { "retry-after": "7", "retry-after-ms": "20" },
      want: 20,
    },
    {
      name: "a date",
      headers: { "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT" },
      want: 30_000,
    },
    {
      name: "a date gone by",
      headers: { "retry-after": "Thu, 01 Jan 2015 00:00:00 GMT" },
      want: 0,
    },
    { name: "nonsense", headers: { "retry-after": "soon" }, want: null },
    {
      name: "a year, cut to a day",
      headers: { "retry-after": "31536000" },
      want: 86_400_000,
    },
  ] as { name: string; headers: Record<string, string>; want: number | null }[]
) {
  Deno.test(`readRetryAfterMs() reads ${name}`, () => {
    const now = new Date("2026-01-01T00:00:00Z");
    assertEquals(readRetryAfterMs(new Headers(headers), now), want);
  });
}

Deno.test("readErrorAnswer() reads the start of an endless body", async () => {
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(4096).fill(0x78)),
  });
  const answer = await readErrorAnswer(new Response(endless, { status: 500 }));
  assertEquals(answer.status, 500);
});

Deno.test("readErrorAnswer() has the status of an answer that was cut", async () => {
  const cut = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("cut")),
  });
  const answer = await readErrorAnswer(new Response(cut, { status: 503 }));
  assertEquals(answer.status, 503);
});
