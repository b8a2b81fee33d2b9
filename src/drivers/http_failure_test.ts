import { assert, assertEquals } from "@std/assert";
import { type Failure, GatewayError } from "../domain/failure.ts";
import {
  connectionError,
  quoteUpstream,
  toGatewayError,
  type Upstream,
  UpstreamError,
} from "./http_failure.ts";
import type { UpstreamAnswer } from "./upstream_answer.ts";

const UPSTREAM: Upstream = {
  name: "OpenAI",
  secrets: ["key-of-the-gateway"],
  bodyBytesMax: 512,
  isQuotaExhausted: ({ codes }) => codes.includes("insufficient_quota"),
};
const MISSING: Failure = { kind: "no_such_key", key: "file-1" };

function answerOf(answer: Partial<UpstreamAnswer>): UpstreamAnswer {
  return {
    status: 400,
    codes: [],
    message: "Said so.",
    retryAfterMs: null,
    ...answer,
  };
}

function judge(error: unknown): GatewayError {
  return toGatewayError(UPSTREAM, error, MISSING);
}

for (
  const { name, answer, want } of [
    {
      name: "400 as the caller's mistake",
      answer: { status: 400 },
      want: { kind: "invalid_request" },
    },
    {
      name: "422 as the caller's mistake",
      answer: { status: 422 },
      want: { kind: "invalid_request" },
    },
    {
      name: "401 as access_denied",
      answer: { status: 401 },
      want: { kind: "access_denied" },
    },
    {
      name: "403 as access_denied",
      answer: { status: 403 },
      want: { kind: "access_denied" },
    },
    {
      name: "Google's 400 for a bad key as access_denied",
      answer: { status: 400, codes: ["INVALID_ARGUMENT", "API_KEY_INVALID"] },
      want: { kind: "access_denied" },
    },
    {
      name: "402 as used-up quota",
      answer: { status: 402 },
      want: { kind: "quota_exceeded" },
    },
    { name: "404 as what is missing", answer: { status: 404 }, want: MISSING },
    {
      name: "408 as late",
      answer: { status: 408 },
      want: { kind: "upstream_timeout" },
    },
    {
      name: "409 as conflict",
      answer: { status: 409 },
      want: { kind: "conflict" },
    },
    {
      name: "413 as too large",
      answer: { status: 413 },
      want: { kind: "entity_too_large", bytesMax: 512 },
    },
    {
      name: "429 as a rate limit with its wait",
      answer: { status: 429, retryAfterMs: 1500 },
      want: { kind: "rate_limited", retryAfterMs: 1500 },
    },
    {
      name: "429 as a rate limit without a wait",
      answer: { status: 429 },
      want: { kind: "rate_limited" },
    },
    {
      name: "429 of an empty account as used-up quota",
      answer: { status: 429, codes: ["insufficient_quota"] },
      want: { kind: "quota_exceeded" },
    },
    {
      name: "500 as failed",
      answer: { status: 500 },
      want: { kind: "upstream_failed", status: 500 },
    },
    {
      name: "501 as unsupported",
      answer: { status: 501 },
      want: { kind: "unsupported" },
    },
    {
      name: "503 as unavailable",
      answer: { status: 503 },
      want: { kind: "upstream_unavailable" },
    },
    {
      name: "Anthropic's 529 as unavailable",
      answer: { status: 529 },
      want: { kind: "upstream_unavailable" },
    },
    {
      name: "504 as late",
      answer: { status: 504 },
      want: { kind: "upstream_timeout" },
    },
    {
      name: "a redirect as failed",
      answer: { status: 302 },
      want: { kind: "upstream_failed", status: 302 },
    },
  ] satisfies {
    name: string;
    answer: Partial<UpstreamAnswer>;
    want: Failure;
  }[]
) {
  Deno.test(`toGatewayError() reads ${name}`, () => {
    const fault = { kind: "answer", answer: answerOf(answer) } as const;
    assertEquals(judge(new UpstreamError(fault)).failure, want);
  });
}

Deno.test("toGatewayError() finds the fault under an SDK's own errors", () => {
  const fault = new UpstreamError({ kind: "connection" });
  const wrapped = new Error("Connection error.", {
    cause: new Error("again", { cause: fault }),
  });
  assertEquals(judge(wrapped).failure, { kind: "upstream_unavailable" });
});

Deno.test("toGatewayError() hands a GatewayError on as it is", () => {
  const error = new GatewayError({ kind: "conflict" }, "x");
  assertEquals(judge(new Error("wrapped", { cause: error })), error);
});

Deno.test("toGatewayError() says that an unreadable answer failed", () => {
  const error = judge(new SyntaxError("Unexpected token <"));
  assertEquals(error.failure, { kind: "upstream_failed" });
  assert(!error.message.includes("token"));
});

Deno.test("toGatewayError() says that an aborted call was late", () => {
  for (
    const error of [
      new DOMException("The signal has been aborted", "AbortError"),
      new DOMException("Signal timed out.", "TimeoutError"),
      new Error("Request was aborted."),
      new UpstreamError({ kind: "timeout" }),
    ]
  ) assertEquals(judge(error).failure, { kind: "upstream_timeout" });
});

Deno.test("connectionError() tells an ended call from a broken connection", () => {
  const cause = new TypeError("fetch failed");
  const running = connectionError(cause, new AbortController().signal);
  assertEquals(running.fault, { kind: "connection" });
  assertEquals(connectionError(cause, null).fault, { kind: "connection" });
  const ended = connectionError(cause, AbortSignal.abort());
  assertEquals(ended.fault, { kind: "timeout" });
});

Deno.test("messages quote the provider, but nothing of a bad key", () => {
  const said = "Incorrect API key provided: sk-abc***xyz.";
  const fault = (status: number) =>
    new UpstreamError({
      kind: "answer",
      answer: answerOf({ status, message: said }),
    });
  assertEquals(
    judge(fault(401)).message,
    "OpenAI refused the gateway's credentials.",
  );
  assertEquals(
    judge(fault(400)).message,
    "OpenAI: Incorrect API key provided: [key]",
  );
});

for (
  const { name, text, want } of [
    {
      name: "the gateway's own key",
      text: "with key-of-the-gateway.",
      want: "with [key].",
    },
    { name: "Google keys", text: "key AIzaSyA-1_x b", want: "key [key] b" },
    {
      name: "bearer tokens",
      text: "got Bearer abc.def-ghi_jkl=",
      want: "got Bearer [key]",
    },
    { name: "control characters", text: "a\r\nb\tc\u0000", want: "a b c" },
    {
      name: "length",
      text: "x".repeat(5000),
      want: `${"x".repeat(999)}…`,
    },
  ]
) {
  Deno.test(`quoteUpstream() takes care of ${name}`, () => {
    assertEquals(quoteUpstream(UPSTREAM, text), want);
  });
}
