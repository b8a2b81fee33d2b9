import { assert, assertEquals } from "@std/assert";
import type { S3Answer } from "./answer.ts";
import { documentAnswer, emptyAnswer } from "./answer.ts";
import { toResponse } from "./response.ts";
import { leaf } from "./xml.ts";

function respond(
  answer: S3Answer,
  { method = "GET" } = {},
): Response {
  const facts = {
    method,
    requestId: "id",
    stallMs: 1000,
    report() {},
  };
  return toResponse(answer, facts);
}

Deno.test("toResponse() gives both ids and the exact length", async () => {
  const response = respond(documentAnswer(leaf("A", "ü")));
  const text = await response.text();
  assertEquals(response.headers.get("x-amz-request-id"), "id");
  assert(response.headers.has("x-amz-id-2"));
  assertEquals(
    response.headers.get("content-length"),
    String(new TextEncoder().encode(text).length),
  );
});

Deno.test("toResponse() gives a length of 0 where there is no body", () => {
  const response = respond(emptyAnswer(200));
  assertEquals(response.headers.get("content-length"), "0");
});

Deno.test("toResponse() keeps the length that a HEAD announces", () => {
  const answer = emptyAnswer(200, { "content-length": "12345" });
  const response = respond(answer, { method: "HEAD" });
  assertEquals(response.headers.get("content-length"), "12345");
  assertEquals(response.body, null);
});

for (const status of [204, 304]) {
  Deno.test(`toResponse() sends no body and no length with ${status}`, () => {
    const response = respond(emptyAnswer(status));
    assertEquals(response.body, null);
    assert(!response.headers.has("content-length"));
  });
}
