import { assertEquals } from "@std/assert";
import { createAuthenticator } from "./authenticator.ts";
import {
  BYTES_MAX,
  encode,
  failureOf,
  readAll,
  streamOf,
} from "./testing/framed_body.ts";
import { S3, toRequest } from "./testing/signing_client.ts";
import { openVerifiedBody } from "./verified_body.ts";

/** S3 API Reference, "Transferring Payload in Multiple Chunks", the example. */
const EXAMPLE_SIGNATURES = [
  "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
  "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
  "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
];

async function openExample(headers: Record<string, string>, body: string) {
  const authenticator = createAuthenticator({
    credentials: [{
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      tenant: "example",
      providers: null,
      defaultProvider: null,
      buckets: [],
      admin: false,
      bearerKey: null,
    }],
    anonymous: null,
    now: () => new Date("2013-05-24T00:00:00Z"),
  });
  const request = toRequest("PUT", "/examplebucket/chunkObject.txt", headers);
  const { chunkSigner } = await authenticator.authenticate(request, S3);
  return openVerifiedBody({
    headers: request.headers,
    body: streamOf([encode(body)]),
    chunkSigner,
    bytesMax: BYTES_MAX,
  });
}

function frameExample(signatures: readonly string[], trailer: string): string {
  const [first, second, last] = signatures;
  return `10000;chunk-signature=${first}\r\n${"a".repeat(65_536)}\r\n` +
    `400;chunk-signature=${second}\r\n${"a".repeat(1024)}\r\n` +
    `0;chunk-signature=${last}\r\n${trailer}\r\n`;
}

const EXAMPLE_HEADERS = {
  host: "s3.amazonaws.com",
  "x-amz-date": "20130524T000000Z",
  "x-amz-storage-class": "REDUCED_REDUNDANCY",
  "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "content-encoding": "aws-chunked",
  "x-amz-decoded-content-length": "66560",
  "content-length": "66824",
  authorization: "AWS4-HMAC-SHA256 " +
    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
    "SignedHeaders=content-encoding;content-length;host;" +
    "x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;" +
    "x-amz-storage-class,Signature=" +
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
};

Deno.test("AWS's published example of signed chunks is accepted", async () => {
  const body = frameExample(EXAMPLE_SIGNATURES, "");
  assertEquals(body.length, 66_824);
  const verified = await openExample(EXAMPLE_HEADERS, body);
  assertEquals((await readAll(verified)).length, 66_560);
});

/** S3 API Reference, "Signature calculations for trailing headers". */
Deno.test("AWS's published example of a signed trailer is accepted, and no other value in it", async () => {
  const headers = {
    ...EXAMPLE_HEADERS,
    "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "x-amz-trailer": "x-amz-checksum-crc32c",
    authorization: "AWS4-HMAC-SHA256 " +
      "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
      "SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;" +
      "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer," +
      "Signature=" +
      "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
  };
  const signatures = [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
  ];
  const trailer = "x-amz-checksum-crc32c:sOO8/Q==\r\n" +
    "x-amz-trailer-signature:" +
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n";
  const body = frameExample(signatures, trailer);
  const verified = await openExample(headers, body);
  assertEquals((await readAll(verified)).length, 66_560);
  assertEquals(verified.trailer?.value(), "sOO8/Q==");
  const changed = await openExample(headers, body.replace("sOO8/Q", "sOO8/A"));
  assertEquals((await failureOf(changed)).kind, "signature_mismatch");
});

Deno.test("AWS's published example is refused with any bit of a chunk signature changed", async () => {
  for (const [index, signature] of EXAMPLE_SIGNATURES.entries()) {
    for (let i = 0; i < signature.length; i += 7) {
      const code = Number.parseInt(signature.charAt(i), 16) ^ 1;
      const changed = signature.slice(0, i) + code.toString(16) +
        signature.slice(i + 1);
      const signatures = EXAMPLE_SIGNATURES.with(index, changed);
      const body = frameExample(signatures, "");
      const verified = await openExample(EXAMPLE_HEADERS, body);
      assertEquals((await failureOf(verified)).kind, "signature_mismatch");
    }
  }
});
