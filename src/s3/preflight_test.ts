import { assertEquals } from "@std/assert";
import { refusePreflight } from "./preflight.ts";
import { ADMIN, S3Server } from "./testing/s3_server.ts";

for (
  const { name, headers, status, code } of [
    { name: "no origin", headers: {}, status: 400, code: "BadRequest" },
    {
      name: "no method that is asked for",
      headers: { origin: "https://page.example" },
      status: 400,
      code: "BadRequest",
    },
    {
      name: "all that a browser sends",
      headers: {
        "origin": "https://page.example",
        "access-control-request-method": "GET",
      },
      status: 403,
      code: "AccessForbidden",
    },
  ]
) {
  Deno.test(`refusePreflight() answers ${code} to ${name}`, () => {
    const error = refusePreflight(new Headers(headers));
    assertEquals([error.status, error.code], [status, code]);
  });
}

Deno.test("OPTIONS needs no signature to be refused as S3 refuses it", async () => {
  await using server = new S3Server({ credentials: [ADMIN] });
  const response = await fetch(`${server.url}/b/k?X-Amz-Signature=0`, {
    method: "OPTIONS",
    headers: { "x-model-provider": "bedrock" },
  });
  assertEquals(response.status, 400);
  assertEquals(response.headers.get("access-control-allow-origin"), null);
  const body = await response.text();
  assertEquals(/<Code>(.*?)<\/Code>/.exec(body)?.[1], "BadRequest");
  assertEquals(server.storage.seen.length, 0);
  assertEquals(server.notes[0]?.["operation"], "Preflight");
  assertEquals(server.notes[0]?.["errorCode"], "BadRequest");
});
