import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import type { SignedRequest, Surface } from "./signed_request.ts";
import {
  BEDROCK,
  type Draft,
  JOB_PATH,
  openGateway,
  presign,
  refusalOf,
  S3,
  sha256Hex,
  signHeader,
  toRequest,
} from "./testing/signing_client.ts";

/** Every text with one bit of one character flipped, as far as sendable. */
function* flipBits(text: string): Generator<string> {
  for (let i = 0; i < text.length; i++) {
    for (const bit of [1, 2, 4, 8]) {
      const code = text.charCodeAt(i) ^ bit;
      if (
        code <= 0x20 || code >= 0x7f || "?#".includes(String.fromCharCode(code))
      ) {
        continue;
      }
      yield text.slice(0, i) + String.fromCharCode(code) + text.slice(i + 1);
    }
  }
}

async function assertAllRefused(
  requests: Iterable<SignedRequest>,
  surface: Surface,
): Promise<void> {
  const authenticator = openGateway();
  let count = 0;
  for (const request of requests) {
    await assertRejects(
      () => authenticator.authenticate(request, surface),
      GatewayError,
      undefined,
      `${request.method} ${JSON.stringify(request.target)} ` +
        JSON.stringify([...request.headers]),
    );
    count++;
  }
  assertGreater(count, 20);
}

function* changeTarget(request: SignedRequest): Generator<SignedRequest> {
  const { rawPath, rawQuery } = request.target;
  const query = rawQuery === "" ? "" : `?${rawQuery}`;
  for (const path of flipBits(rawPath.slice(1))) {
    const changed = tryRequest(request, `/${path}${query}`);
    if (changed !== null) yield changed;
  }
  for (const changedQuery of flipBits(rawQuery)) {
    const changed = tryRequest(request, `${rawPath}?${changedQuery}`);
    if (changed !== null) yield changed;
  }
}

/** Null where the target could not even be parsed. */
function tryRequest(
  request: SignedRequest,
  target: string,
): SignedRequest | null {
  try {
    return toRequest(request.method, target, request.headers);
  } catch {
    return null;
  }
}

function* changeHeaders(request: SignedRequest): Generator<SignedRequest> {
  for (const [name, value] of request.headers) {
    for (const flipped of flipBits(value)) {
      const headers = new Headers(request.headers);
      headers.set(name, flipped);
      yield { ...request, headers };
    }
  }
}

const TAMPER_DRAFT: Draft = {
  method: "GET",
  path: "/bedrock/files/b/../x%2Fy//%C3%BC",
  query: { versionId: "a b", partNumber: "1" },
  headers: { range: "bytes=0-9", "x-amz-meta-a": "1" },
};

Deno.test("authenticate() refuses an S3 request with any bit of its target changed", async () => {
  await assertAllRefused(changeTarget(await signHeader(TAMPER_DRAFT)), S3);
});

Deno.test("authenticate() refuses an S3 request with any bit of a signed header changed", async () => {
  await assertAllRefused(changeHeaders(await signHeader(TAMPER_DRAFT)), S3);
});

Deno.test("authenticate() refuses a presigned S3 URL with any bit changed", async () => {
  const request = await presign(TAMPER_DRAFT, 3600);
  await assertAllRefused(changeTarget(request), S3);
  await assertAllRefused(changeHeaders(request), S3);
});

Deno.test("authenticate() refuses a Bedrock request with any bit changed", async () => {
  const draft: Draft = { method: "GET", path: JOB_PATH, service: "bedrock" };
  const request = await signHeader(draft);
  await assertAllRefused(changeTarget(request), BEDROCK);
  await assertAllRefused(changeHeaders(request), BEDROCK);
});

function movePath(from: string, to: string) {
  return (request: SignedRequest): SignedRequest => {
    const { rawPath, rawQuery } = request.target;
    const path = rawPath.replace(from, to);
    return toRequest(request.method, `${path}?${rawQuery}`, request.headers);
  };
}

for (
  const { name, change } of [
    { name: "a slash doubled", change: movePath("/b/", "/b//") },
    { name: "a doubled slash made one", change: movePath("y//", "y/") },
    { name: "its dot segments removed", change: movePath("/b/../", "/") },
    { name: "an encoded slash decoded", change: movePath("%2F", "/") },
    { name: "its path encoded once more", change: movePath("%2F", "%252F") },
    {
      name: "another method",
      change: (request: SignedRequest) => ({ ...request, method: "PUT" }),
    },
    {
      name: "one more query parameter",
      change: (request: SignedRequest) =>
        toRequest(
          request.method,
          `${request.target.rawPath}?${request.target.rawQuery}&acl`,
          request.headers,
        ),
    },
    {
      name: "one query parameter less",
      change: (request: SignedRequest) =>
        toRequest(
          request.method,
          `${request.target.rawPath}?` +
            request.target.rawQuery.replace("partNumber=1&", "")
              .replace("&partNumber=1", ""),
          request.headers,
        ),
    },
    {
      name: "a signed header less",
      change: (request: SignedRequest) => {
        const headers = new Headers(request.headers);
        headers.delete("range");
        return { ...request, headers };
      },
    },
  ]
) {
  Deno.test(`authenticate() refuses a request with ${name}`, async () => {
    for (
      const request of [
        await signHeader(TAMPER_DRAFT),
        await presign(TAMPER_DRAFT, 3600),
      ]
    ) assertEquals(await refusalOf(change(request)), "signature_mismatch");
  });
}

Deno.test("authenticate() refuses a Bedrock request with another body", async () => {
  const request = await signHeader({
    method: "POST",
    path: "/bedrock/model-invocation-job",
    service: "bedrock",
  });
  const surface: Surface = {
    kind: "bedrock",
    bodySha256Hex: sha256Hex("{}"),
  };
  assertEquals(await refusalOf(request, { surface }), "signature_mismatch");
});
