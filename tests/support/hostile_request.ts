import type { SeededRandom } from "./seeded_random.ts";

/** A request as raw bytes, and whether the client then falls silent. */
export interface HostileRequest {
  readonly description: string;
  readonly bytes: Uint8Array;
  /** The client sends no more although it announced more. */
  readonly cutsBody: boolean;
}

const METHODS = [
  "GET",
  "HEAD",
  "PUT",
  "POST",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "BREW",
];

const PATHS = [
  "/bedrock/files",
  "/bedrock/files/",
  "/bedrock/files/b",
  "/bedrock/files/b/",
  "/bedrock/files/b/k",
  "/bedrock/files/b/../../etc/passwd",
  "/bedrock/files/b//x//../y/./z",
  "/bedrock/files/b/%2e%2e%2f%00",
  "/bedrock/files/b/%E0%A4%A",
  "/bedrock/files/b/%ff%fe",
  `/bedrock/files/b/${"k".repeat(1025)}`,
  `/bedrock/files/${"b".repeat(300)}`,
  "/bedrock/files/b%2Fk",
  "/bedrock/files/;&=+$,@!'()*",
  "/bedrock/model-invocation-job",
  "/bedrock/model-invocation-jobs",
  "/bedrock/model-invocation-job/%2e%2e",
  `/bedrock/model-invocation-job/${"a".repeat(2000)}`,
  "/bedrock/model-invocation-job/abcdefghijkl/stop",
  "/bedrock/foundation-models/x%2F..%2Fy",
  "/bedrock/tagResource",
  "/bedrock/nonsense",
];

const QUERIES = [
  "",
  "?",
  "?list-type=2",
  "?list-type=2&max-keys=-1",
  "?list-type=2&max-keys=99999999999",
  "?list-type=2&continuation-token=%00%01",
  "?list-type=3",
  "?delimiter=%F0%9F%98%80&prefix=%",
  "?delete",
  "?uploads",
  "?uploadId=x&partNumber=0",
  "?uploadId=x&partNumber=10001",
  "?uploadId=../../x&partNumber=1",
  "?acl",
  "?versioning&tagging",
  "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=zz",
  "?AWSAccessKeyId=a&Signature=b&Expires=NaN",
  "?statusEquals=Nope&maxResults=x",
  "?nextToken=%7B%7D",
  `?prefix=${"p".repeat(3000)}`,
  "?a=1&a=2&a=3",
];

const HEADERS = [
  "x-model-provider: openai",
  "x-model-provider: azure",
  "x-model-provider: \t ",
  "x-amz-content-sha256: nothex",
  "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "x-amz-decoded-content-length: 5",
  "x-amz-decoded-content-length: -5",
  "x-amz-decoded-content-length: 99999999999999999999",
  "x-amz-trailer: x-amz-checksum-crc32",
  "x-amz-trailer: x-amz-checksum-crc32,x-amz-checksum-sha1",
  "content-encoding: aws-chunked",
  "content-encoding: gzip,aws-chunked,br",
  "content-md5: !!!",
  "content-md5: AAAAAAAAAAAAAAAAAAAAAA==",
  "x-amz-checksum-crc32: AAAA",
  "x-amz-checksum-sha256: AAAA",
  "x-amz-checksum-unknown: AAAA",
  "range: bytes=5-1",
  "range: bytes=-0",
  "range: bytes=0-99999999999999999999",
  "range: lines=1",
  'if-match: "a", "b"',
  "if-none-match: *",
  "if-modified-since: yesterday",
  "authorization: AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=",
  "authorization: AWS4-HMAC-SHA256 nonsense",
  "authorization: AWS a:b",
  "authorization: Bearer",
  "x-amz-copy-source: /../..%2F",
  "x-amz-copy-source: b/k?versionId=1",
  "x-amz-date: 20200101T000000Z",
  "x-amz-meta-a: \u00ff\u00fe",
  `x-amz-meta-long: ${"m".repeat(3000)}`,
  "expect: 100-continue",
  "content-type: text/xml; charset=utf-7",
];

const BODIES = [
  "",
  "x",
  "{",
  "[]",
  "null",
  '{"jobName":1}',
  '{"jobName":"a","modelId":"m","inputDataConfig":{"s3InputDataConfig":{"s3Uri":"s3://b/k"}},"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://b/"}}}',
  '{"resourceARN":"arn:aws:bedrock:us-west-2:123456789012:model-invocation-job/x"}',
  '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><Delete>&c;</Delete>',
  "<Delete><Object><Key>k</Key></Object>",
  "<Delete></Delete>",
  `<Delete>${"<Object><Key>k</Key></Object>".repeat(1001)}</Delete>`,
  "<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber></Part></CompleteMultipartUpload>",
  "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
  "5;chunk-signature=zz\r\nhello\r\n0;chunk-signature=zz\r\n\r\n",
  "ffffffffffffffff\r\nx",
  "5\r\nhel",
  "0\r\n\r\n",
  '{"custom_id":"a"',
];

/** One request out of the lists above, sometimes with its framing broken. */
export function hostileRequest(random: SeededRandom): HostileRequest {
  const method = random.pick(METHODS);
  const target = random.pick(PATHS) + random.pick(QUERIES);
  const headers = Array.from(
    { length: random.below(6) },
    () => random.pick(HEADERS),
  );
  const body = random.once(8)
    ? random.bytes(random.below(5_000))
    : new TextEncoder().encode(random.pick(BODIES));
  const cutsBody = body.length > 0 && random.once(10);
  const length = cutsBody ? body.length + 10 : body.length;
  const framing = random.once(12) ? [] : [`content-length: ${length}`];
  const lines = [
    `${method} ${target} HTTP/1.1`,
    "host: 127.0.0.1",
    "connection: close",
    ...new Set(headers),
    ...framing,
  ];
  const head = Uint8Array.from(
    [...`${lines.join("\r\n")}\r\n\r\n`].map((letter) =>
      letter.charCodeAt(0) & 0xff
    ),
  );
  const sent = framing.length === 0 ? new Uint8Array() : body;
  const bytes = new Uint8Array(head.length + sent.length);
  bytes.set(head);
  bytes.set(sent, head.length);
  const description = lines.filter((line) => line.length < 200).join(" | ") +
    ` | ${sent.length} body bytes${cutsBody ? ", cut" : ""}`;
  return { description, bytes, cutsBody };
}
