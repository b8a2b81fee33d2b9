import { assertEquals } from "@std/assert";
import { digestOf, startDigest, toBase64 } from "./checksum.ts";

// The check value of every CRC is the one over "123456789".
for (
  const { algorithm, want } of [
    { algorithm: "crc32", want: "y/Q5Jg==" },
    { algorithm: "crc32c", want: "4waSgw==" },
    { algorithm: "sha1", want: "98O8HYCOBHMq32eZZczDTKeuNEE=" },
    {
      algorithm: "sha256",
      want: "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
    },
  ] as const
) {
  Deno.test(`digestOf() computes ${algorithm}, also piece by piece`, () => {
    const bytes = new TextEncoder().encode("123456789");
    assertEquals(toBase64(digestOf(algorithm, bytes)), want);
    const running = startDigest(algorithm);
    for (const byte of bytes) running.update(Uint8Array.of(byte));
    assertEquals(toBase64(running.digest()), want);
  });
}
