import { assertEquals } from "@std/assert";
import { keepUncompressed } from "./compression.ts";

for (
  const { name, acceptEncoding, headers, want } of [
    {
      name: "a client that takes gzip",
      acceptEncoding: "gzip",
      headers: {},
      want: "no-transform",
    },
    {
      name: "one that takes gzip, beside what is stored",
      acceptEncoding: "br;q=1, gzip",
      headers: { "cache-control": "max-age=9" },
      want: "max-age=9, no-transform",
    },
    {
      name: "one that takes it, where it is stored already",
      acceptEncoding: "gzip",
      headers: { "cache-control": "No-Transform" },
      want: "No-Transform",
    },
    {
      name: "one that takes it, where the object is encoded itself",
      acceptEncoding: "gzip",
      headers: { "content-encoding": "gzip" },
      want: null,
    },
    {
      name: "boto3, which takes nothing",
      acceptEncoding: "identity",
      headers: { "cache-control": "max-age=9" },
      want: "max-age=9",
    },
    {
      name: "one that says nothing",
      acceptEncoding: null,
      headers: {},
      want: null,
    },
  ]
) {
  Deno.test(`keepUncompressed() sets cache-control for ${name}`, () => {
    const response = keepUncompressed(
      new Response("x", { headers: headers as Record<string, string> }),
      acceptEncoding,
    );
    assertEquals(response.headers.get("cache-control"), want);
  });
}
