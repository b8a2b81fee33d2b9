import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import {
  createDigest,
  DIGEST_ALGORITHMS,
  DIGEST_SIZE_BYTES,
  type DigestAlgorithm,
  parseDigestAlgorithm,
} from "./digest.ts";

/** Hex digests of the ASCII text `123456789`, the catalogues' check value. */
const CHECK_VALUES: Readonly<Record<DigestAlgorithm, string>> = {
  crc32: "cbf43926",
  crc32c: "e3069283",
  crc64nvme: "ae8b14860a799888",
  sha1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
  sha256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
  sha512: "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a" +
    "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
  md5: "25f9e794323b453885f5181f1b624d0b",
};

function digestHex(algorithm: DigestAlgorithm, parts: Uint8Array[]): string {
  const digest = createDigest(algorithm);
  for (const part of parts) digest.update(part);
  return Buffer.from(digest.base64(), "base64").toString("hex");
}

for (const algorithm of DIGEST_ALGORITHMS) {
  Deno.test(`createDigest() has the check value of ${algorithm}`, () => {
    const bytes = new TextEncoder().encode("123456789");
    assertEquals(digestHex(algorithm, [bytes]), CHECK_VALUES[algorithm]);
  });

  Deno.test(`createDigest() has the same ${algorithm} however bytes are cut`, () => {
    const bytes = Uint8Array.from({ length: 67 }, (_, i) => i * 151);
    const whole = digestHex(algorithm, [bytes]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
      assertEquals(digestHex(algorithm, parts), whole, `cut at ${cut}`);
    }
  });

  Deno.test(`createDigest() gives ${algorithm} of its size, and again when asked again`, () => {
    const digest = createDigest(algorithm);
    const first = digest.base64();
    assertEquals(
      Buffer.from(first, "base64").length,
      DIGEST_SIZE_BYTES[algorithm],
    );
    assertEquals(digest.base64(), first);
  });
}

for (
  const { name, want } of [
    { name: "CRC64NVME", want: "crc64nvme" },
    { name: " sha1 ", want: "sha1" },
    { name: "xxhash64", want: null },
    { name: "", want: null },
  ]
) {
  Deno.test(`parseDigestAlgorithm() reads "${name}" as ${want}`, () => {
    assertEquals(parseDigestAlgorithm(name), want);
  });
}
