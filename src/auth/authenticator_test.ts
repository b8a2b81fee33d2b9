import { assertEquals, assertRejects } from "@std/assert";
import type { Principal } from "../domain/context.ts";
import { GatewayError } from "../domain/failure.ts";
import { createAuthenticator } from "./authenticator.ts";
import type { SignedRequest, Surface } from "./signed_request.ts";
import {
  BEDROCK,
  CREDENTIAL,
  type Draft,
  EMPTY_SHA256_HEX,
  JOB_PATH,
  openGateway,
  presign,
  replaceScope,
  S3,
  SIGNED_AT,
  signHeader,
  toRequest,
} from "./testing/signing_client.ts";

const S3_DRAFTS: readonly (Draft & { name: string })[] = [
  { name: "no path below the base", method: "GET", path: "/bedrock/files" },
  { name: "a bucket", method: "GET", path: "/bedrock/files/b/" },
  { name: "a key", method: "PUT", path: "/bedrock/files/b/a.jsonl" },
  { name: "dot segments", method: "GET", path: "/bedrock/files/b/../x/./y" },
  { name: "empty segments", method: "GET", path: "/bedrock/files/b//x//" },
  { name: "an encoded slash", method: "GET", path: "/bedrock/files/b/x%2Fy" },
  {
    name: "an encoded percent",
    method: "GET",
    path: "/bedrock/files/b/x%252F",
  },
  {
    name: "unicode",
    method: "GET",
    path: "/bedrock/files/b/%C3%BC%F0%9F%8D%8B",
  },
  { name: "plus and space", method: "GET", path: "/bedrock/files/b/a%2Bb%20c" },
  { name: "marks", method: "GET", path: "/bedrock/files/b/%21%27%28%29%2A~" },
  {
    name: "a query",
    method: "GET",
    path: "/bedrock/files/b",
    query: { "list-type": "2", prefix: "a b/ü+&=", delimiter: "/", marker: "" },
  },
  {
    name: "headers",
    method: "PUT",
    path: "/bedrock/files/b/k",
    headers: {
      "content-type": "application/jsonl",
      "x-amz-meta-note": "two  spaces",
      "x-amz-storage-class": "STANDARD",
    },
  },
];

for (const { name, ...draft } of S3_DRAFTS) {
  Deno.test(`authenticate() takes an S3 header signature over ${name}`, async () => {
    const { principal, region } = await openGateway()
      .authenticate(await signHeader(draft), S3);
    assertEquals([principal.tenant, region], ["acme", "us-west-2"]);
  });

  Deno.test(`authenticate() takes a presigned S3 URL with ${name}`, async () => {
    const { principal, region } = await openGateway()
      .authenticate(await presign(draft, 3600), S3);
    assertEquals([principal.tenant, region], ["acme", "us-west-2"]);
  });
}

for (
  const { name, ...draft } of [
    { name: "a bare id", path: "/bedrock/model-invocation-job/abcdefghijkl" },
    { name: "an ARN", path: JOB_PATH },
    { name: "dot segments", path: "/bedrock/./x/../model-invocation-jobs//" },
    {
      name: "a query",
      path: "/bedrock/model-invocation-jobs",
      query: { nameContains: "a+b c", maxResults: "10" },
    },
  ]
) {
  const bedrockDraft: Draft = { method: "GET", service: "bedrock", ...draft };

  Deno.test(`authenticate() takes a Bedrock header signature over ${name}`, async () => {
    const request = await signHeader(bedrockDraft);
    const { principal } = await openGateway().authenticate(request, BEDROCK);
    assertEquals(principal.tenant, "acme");
  });

  Deno.test(`authenticate() takes a presigned Bedrock URL with ${name}`, async () => {
    const request = await presign(bedrockDraft, 60);
    const { principal } = await openGateway().authenticate(request, BEDROCK);
    assertEquals(principal.tenant, "acme");
  });
}

/** Made with botocore 1.44.8, the clock at SIGNED_AT. */
const BOTOCORE_VECTORS: readonly {
  name: string;
  request: SignedRequest;
  surface: Surface;
}[] = [
  {
    name: "put_object over http",
    surface: S3,
    request: toRequest(
      "PUT",
      "/bedrock/files/my-bucket/../a%20b//%C3%BC%2Bc%252F%281%29/" +
        ".~%2A%27%21.jsonl",
      {
        host: "127.0.0.1:8080",
        "x-amz-meta-note": "two  spaces",
        "content-type": "application/jsonl",
        "x-amz-checksum-crc32": "3aGwBg==",
        "x-amz-sdk-checksum-algorithm": "CRC32",
        "x-amz-date": "20260101T000000Z",
        "x-amz-content-sha256":
          "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356",
        authorization: authorize(
          "s3",
          "content-type;host;x-amz-checksum-crc32;x-amz-content-sha256;" +
            "x-amz-date;x-amz-meta-note;x-amz-sdk-checksum-algorithm",
          "3dca9dbc21529f76c4adf376c146acd91753ebc5bf0d1a21ca9658d8a888feb5",
        ),
        "x-model-provider": "openai",
        "amz-sdk-request": "attempt=1; max=1",
      },
    ),
  },
  {
    name: "list_objects_v2",
    surface: S3,
    request: toRequest(
      "GET",
      "/bedrock/files/my-bucket?list-type=2&prefix=a%20b%2F%C3%BC%2B&" +
        "start-after=%21%27%28%29%2A~&encoding-type=url",
      {
        host: "127.0.0.1:8080",
        "x-amz-date": "20260101T000000Z",
        "x-amz-content-sha256": EMPTY_SHA256_HEX,
        authorization: authorize(
          "s3",
          "host;x-amz-content-sha256;x-amz-date",
          "9835c9f9bf507235f745cc9d0e1b0dca24f61c33426e9d39f734d72440310967",
        ),
      },
    ),
  },
  {
    name: "a presigned get_object",
    surface: S3,
    request: toRequest(
      "GET",
      "/bedrock/files/my-bucket/../a%20b//%C3%BC%2Bc%252F%281%29/" +
        ".~%2A%27%21.jsonl?response-content-disposition=attachment%3B%20" +
        "filename%3D%22%C3%BC%2Bb%20c.txt%22&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
        "&X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Fus-west-2%2Fs3%2F" +
        "aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=3600&" +
        "X-Amz-SignedHeaders=host&X-Amz-Signature=" +
        "bece4b5c589bb3ed037e4acc003350ede33cb4df640a730167a075b382fbbdcd",
      { host: "127.0.0.1:8080" },
    ),
  },
  {
    name: "get_model_invocation_job",
    surface: BEDROCK,
    request: toRequest("GET", JOB_PATH, {
      host: "127.0.0.1:8080",
      "x-amz-date": "20260101T000000Z",
      authorization: authorize(
        "bedrock",
        "host;x-amz-date",
        "eecd69557ada3dc0dae3c9269e7a7d77927accc601a9269aeea56bc517e1fb36",
      ),
    }),
  },
];

function authorize(service: string, names: string, signature: string): string {
  return `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-west-2/` +
    `${service}/aws4_request, SignedHeaders=${names}, Signature=${signature}`;
}

for (const { name, request, surface } of BOTOCORE_VECTORS) {
  Deno.test(`authenticate() takes botocore's signature of ${name}`, async () => {
    const { principal } = await openGateway().authenticate(request, surface);
    assertEquals(principal, {
      tenant: "acme",
      accessKeyId: "AKIDEXAMPLE",
      admin: false,
      providers: null,
      defaultProvider: null,
      buckets: [],
    });
  });
}

for (
  const { name, signed, sent } of [
    { name: "bare marks", signed: "a%28b%29", sent: "a(b)" },
    { name: "a bare plus", signed: "a%2Bb", sent: "a+b" },
    { name: "lower-case hex", signed: "%C3%BC", sent: "%c3%bc" },
  ]
) {
  Deno.test(`authenticate() knows a path again that was sent with ${name}`, async () => {
    const path = `/bedrock/files/b/${signed}`;
    const { method, headers } = await signHeader({ method: "GET", path });
    const request = toRequest(method, `/bedrock/files/b/${sent}`, headers);
    const { region } = await openGateway().authenticate(request, S3);
    assertEquals(region, "us-west-2");
  });
}

Deno.test("authenticate() takes repeated headers, which the runtime joins its own way", async () => {
  const signed = await signHeader({
    method: "PUT",
    path: "/bedrock/files/b/k",
    headers: { "x-amz-meta-list": "1,2" },
  });
  const headers = new Headers(signed.headers);
  headers.set("x-amz-meta-list", "1");
  headers.append("x-amz-meta-list", "2");
  const { region } = await openGateway().authenticate(
    { ...signed, headers },
    S3,
  );
  assertEquals(region, "us-west-2");
});

for (
  const { name, received } of [
    { name: "UTF-8", received: "voil\u00c3\u00a0" },
    { name: "Latin-1", received: "voil\u00e0" },
  ]
) {
  Deno.test(`authenticate() takes a header signed as UTF-8 and sent as ${name}`, async () => {
    const signed = await signHeader({
      method: "PUT",
      path: "/bedrock/files/b/k",
      headers: { "x-amz-meta-note": "voilà" },
    });
    const headers = new Headers(signed.headers);
    headers.set("x-amz-meta-note", received);
    const { region } = await openGateway().authenticate(
      { ...signed, headers },
      S3,
    );
    assertEquals(region, "us-west-2");
  });
}

Deno.test("authenticate() verifies a second request with its cached key", async () => {
  const authenticator = openGateway();
  const draft = { method: "GET", path: "/bedrock/files/b/k" };
  await authenticator.authenticate(await signHeader(draft), S3);
  await authenticator.authenticate(await signHeader(draft), S3);
  const changed = { ...await signHeader(draft), method: "DELETE" };
  const error = await assertRejects(
    () => authenticator.authenticate(changed, S3),
    GatewayError,
  );
  assertEquals(error.failure, {
    kind: "signature_mismatch",
    accessKeyId: "AKIDEXAMPLE",
  });
});

// ---------------------------------------------------------------- bearer

Deno.test("authenticate() takes a bearer key on the control plane", async () => {
  const request = toRequest("GET", "/bedrock/model-invocation-jobs", {
    authorization: "Bearer bearer-of-acme",
  });
  const { principal, region, chunkSigner } = await openGateway()
    .authenticate(request, BEDROCK);
  assertEquals([principal.tenant, region, chunkSigner], ["acme", null, null]);
});

for (
  const { name, authorization, want } of [
    {
      name: "an admin",
      authorization: "Bearer bearer-of-admin",
      want: "operations",
    },
    {
      name: "nobody for a plain tenant",
      authorization: "Bearer bearer-of-acme",
      want: null,
    },
    {
      name: "nobody for an unknown key",
      authorization: "Bearer x",
      want: null,
    },
    { name: "nobody without a key", authorization: "", want: null },
  ]
) {
  Deno.test(`authenticateBearer() finds ${name}`, () => {
    const principal = openGateway().authenticateBearer(
      new Headers({ authorization }),
    );
    assertEquals(principal?.tenant ?? null, want);
  });
}

// ---------------------------------------------------------------- open

const ANONYMOUS: Principal = {
  tenant: "default",
  accessKeyId: null,
  admin: true,
  providers: null,
  defaultProvider: null,
  buckets: ["*"],
};

for (
  const { name, request, want } of [
    {
      name: "an Authorization header of no known key",
      request: toRequest("GET", "/bedrock/files", {
        authorization: replaceScope("AKIDOTHER/20150930/eu-central-1/s3"),
      }),
      want: "eu-central-1",
    },
    {
      name: "a presigned URL",
      request: toRequest(
        "GET",
        "/bedrock/files/b/k?X-Amz-Credential=A%2F20150930%2Feu-west-1%2Fs3%2F" +
          "aws4_request",
        {},
      ),
      want: "eu-west-1",
    },
    {
      name: "an unsigned request",
      request: toRequest("GET", "/bedrock/files", {}),
      want: null,
    },
    {
      name: "a region that is none",
      request: toRequest("GET", "/bedrock/files", {
        authorization: replaceScope("A/20150930/<script>/s3"),
      }),
      want: null,
    },
  ]
) {
  Deno.test(`an open gateway takes ${name} and reads its region`, async () => {
    const authenticator = createAuthenticator({
      credentials: [],
      anonymous: ANONYMOUS,
    });
    assertEquals(await authenticator.authenticate(request, S3), {
      principal: ANONYMOUS,
      region: want,
      chunkSigner: null,
    });
  });
}

Deno.test("a gateway with neither credentials nor anonymous lets nobody in", async () => {
  const authenticator = createAuthenticator({
    credentials: [],
    anonymous: null,
  });
  const error = await assertRejects(
    async () =>
      authenticator.authenticate(
        await signHeader({ method: "GET", path: "/bedrock/files/b/k" }),
        S3,
      ),
    GatewayError,
  );
  assertEquals(error.failure.kind, "missing_authentication");
  assertEquals(authenticator.authenticateBearer(new Headers()), null);
});

Deno.test("a gateway with credentials lets nobody in as anonymous", async () => {
  const authenticator = createAuthenticator({
    credentials: [CREDENTIAL],
    anonymous: ANONYMOUS,
    now: () => SIGNED_AT,
  });
  const error = await assertRejects(
    () =>
      authenticator.authenticate(toRequest("GET", "/bedrock/files", {}), S3),
    GatewayError,
  );
  assertEquals(error.failure.kind, "missing_authentication");
});
