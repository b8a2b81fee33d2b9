import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { parseCopySource } from "./copy_source.ts";

for (
  const { header, want } of [
    { header: "b/k", want: { bucket: "b", key: "k", versionId: null } },
    { header: "/b/k", want: { bucket: "b", key: "k", versionId: null } },
    {
      header: "b/a%20b/c",
      want: { bucket: "b", key: "a b/c", versionId: null },
    },
    { header: "b%2Fk", want: { bucket: "b", key: "k", versionId: null } },
    { header: "b/a%3Fb", want: { bucket: "b", key: "a?b", versionId: null } },
    {
      header: "b/k?versionId=v%3D",
      want: { bucket: "b", key: "k", versionId: "v=" },
    },
    { header: "b//k", want: { bucket: "b", key: "/k", versionId: null } },
    {
      header: "b/../c/k",
      want: { bucket: "b", key: "../c/k", versionId: null },
    },
  ]
) {
  Deno.test(`parseCopySource() reads ${header}`, () => {
    assertEquals(parseCopySource(header, "is_plus"), want);
  });
}

Deno.test("parseCopySource() takes a bare plus as it is told", () => {
  assertEquals(parseCopySource("b/a+b%2B", "is_plus").key, "a+b+");
  assertEquals(parseCopySource("b/a+b%2B", "is_space").key, "a b+");
});

for (const header of ["", "/", "b", "b/", "/b", "b/%ZZ", "?versionId=1"]) {
  Deno.test(`parseCopySource() refuses ${JSON.stringify(header)}`, () => {
    const error = assertThrows(
      () => parseCopySource(header, "is_plus"),
      GatewayError,
    );
    assertEquals(error.failure.kind, "invalid_argument");
  });
}
