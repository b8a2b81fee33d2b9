import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { toByteString, withQueryHeaders } from "./query_headers.ts";

Deno.test("withQueryHeaders() reads what a presigned URL carries", () => {
  const merged = withQueryHeaders(new Headers({ "x-amz-acl": "private" }), [
    ["X-Amz-Signature", "s"],
    ["X-Amz-Credential", "c"],
    ["X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"],
    ["x-amz-acl", "public-read"],
    ["x-amz-checksum-mode", "ENABLED"],
    ["x-amz-meta-city", "Zürich"],
    ["prefix", "p"],
  ]);
  assertEquals(Object.fromEntries(merged), {
    "x-amz-acl": "private",
    "x-amz-checksum-mode": "ENABLED",
    "x-amz-meta-city": toByteString("Zürich"),
  });
});

for (
  const { name, pair } of [
    { name: "a line break in a value", pair: ["x-amz-meta-a", "b\r\nc: d"] },
    { name: "a name that is none", pair: ["x-amz-meta-a b", "v"] },
  ] as const
) {
  Deno.test(`withQueryHeaders() refuses ${name}`, () => {
    const error = assertThrows(
      () => withQueryHeaders(new Headers(), [pair]),
      GatewayError,
    );
    assertEquals(error.failure.kind, "invalid_argument");
  });
}
