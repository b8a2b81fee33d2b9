import { assertEquals } from "@std/assert";
import type { FailureKind } from "../domain/failure.ts";
import type { Surface } from "./signed_request.ts";
import {
  BEDROCK,
  type Draft,
  EMPTY_SHA256_HEX,
  later,
  openGateway,
  presign,
  refusalOf,
  replaceScope,
  S3,
  SIGNED_AT,
  signHeader,
  toRequest,
} from "./testing/signing_client.ts";

interface Refusal {
  readonly name: string;
  readonly kind: FailureKind;
  readonly now?: Date;
  readonly surface?: Surface;
  readonly headers?: Record<string, string | null>;
}

const GET_DRAFT: Draft = { method: "GET", path: "/bedrock/files/b/k" };
const VERSION_2 = "AWS AKIDEXAMPLE:FWeDfwojDSdS2Ztmpfeubhd9isU=";
const CREDENTIAL_SCOPE = "AKIDEXAMPLE/20260101/us-west-2/s3/aws4_request";

/** Each changes one thing about a rightly signed GET. */
const HEADER_REFUSALS: readonly Refusal[] = [
  {
    name: "no signature",
    kind: "missing_authentication",
    headers: { authorization: null },
  },
  {
    name: "an empty Authorization",
    kind: "missing_authentication",
    headers: { authorization: "" },
  },
  {
    name: "an unknown access key",
    kind: "unknown_access_key",
    headers: {
      authorization: replaceScope("AKIDUNKNOWN/20260101/us-west-2/s3"),
    },
  },
  {
    name: "an unknown access key and an old scope",
    kind: "unknown_access_key",
    headers: {
      authorization: replaceScope("AKIDUNKNOWN/20150930/us-west-2/s3"),
    },
  },
  {
    name: "a clock 15 minutes and a second behind",
    kind: "clock_skew",
    now: later(15 * 60 + 1),
  },
  {
    name: "a clock 15 minutes and a second ahead",
    kind: "clock_skew",
    now: later(-15 * 60 - 1),
  },
  {
    name: "no date",
    kind: "access_denied",
    headers: { "x-amz-date": null },
  },
  {
    name: "an unreadable date",
    kind: "access_denied",
    headers: { "x-amz-date": "Bad Date" },
  },
  {
    name: "a date years ago",
    kind: "clock_skew",
    headers: { "x-amz-date": "20100707T215304Z" },
  },
  {
    name: "a date before 1970",
    kind: "access_denied",
    headers: { "x-amz-date": "Tue, 07 Jul 1950 21:53:04 GMT" },
  },
  {
    name: "an impossible date",
    kind: "access_denied",
    headers: { "x-amz-date": "20261301T000000Z" },
  },
  {
    name: "an HTTP date years ago",
    kind: "clock_skew",
    headers: { "x-amz-date": "Wed, 07 Jul 2010 21:53:04 GMT" },
  },
  {
    name: "a scope of another day",
    kind: "malformed_authorization",
    headers: {
      authorization: replaceScope("AKIDEXAMPLE/20260102/us-west-2/s3"),
    },
  },
  {
    name: "a scope of another service",
    kind: "malformed_authorization",
    headers: {
      authorization: replaceScope("AKIDEXAMPLE/20260101/us-west-2/sqs"),
    },
  },
  {
    name: "a scope without a region",
    kind: "malformed_authorization",
    headers: { authorization: replaceScope("AKIDEXAMPLE/20260101/s3") },
  },
  {
    name: "a credential alone",
    kind: "malformed_authorization",
    headers: { authorization: "AWS4-HMAC-SHA256 Credential=HAHAHA" },
  },
  {
    name: "a member twice",
    kind: "malformed_authorization",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${CREDENTIAL_SCOPE}, ` +
        `SignedHeaders=host, Signature=0, Signature=0`,
    },
  },
  {
    name: "upper-case signed headers",
    kind: "malformed_authorization",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${CREDENTIAL_SCOPE}, ` +
        `SignedHeaders=Host, Signature=0`,
    },
  },
  {
    name: "an endless Authorization",
    kind: "malformed_authorization",
    headers: { authorization: `AWS4-HMAC-SHA256 ${"a".repeat(9000)}` },
  },
  {
    name: "an unsigned host",
    kind: "access_denied",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${CREDENTIAL_SCOPE}, ` +
        `SignedHeaders=x-amz-content-sha256;x-amz-date, Signature=0`,
    },
  },
  {
    name: "an unsigned x-amz- header",
    kind: "access_denied",
    headers: { "x-amz-meta-more": "1" },
  },
  {
    name: "no x-amz-content-sha256",
    kind: "missing_security_header",
    headers: { "x-amz-content-sha256": null },
  },
  {
    name: "a session token",
    kind: "invalid_token",
    headers: { "x-amz-security-token": "token" },
  },
  {
    name: "a Signature Version 2 header",
    kind: "invalid_request",
    headers: { authorization: VERSION_2 },
  },
  {
    name: "a Signature Version 2 header without a date",
    kind: "access_denied",
    headers: { authorization: VERSION_2, "x-amz-date": null },
  },
  {
    name: "a Signature Version 2 header with an unreadable date",
    kind: "access_denied",
    headers: { authorization: VERSION_2, "x-amz-date": "Bad Date" },
  },
  {
    name: "a Signature Version 2 header of years ago",
    kind: "clock_skew",
    headers: {
      authorization: VERSION_2,
      "x-amz-date": "Wed, 07 Jul 2010 21:53:04 GMT",
    },
  },
  {
    name: "nonsense",
    kind: "invalid_argument",
    headers: { authorization: "AWS HAHAHA" },
  },
  {
    name: "a bearer key, which S3 does not take",
    kind: "invalid_argument",
    headers: { authorization: "Bearer bearer-of-acme" },
  },
  {
    name: "a bearer key that nobody has",
    kind: "access_denied",
    surface: BEDROCK,
    headers: { authorization: "Bearer bearer-of-acmf" },
  },
  {
    name: "basic authentication on the control plane",
    kind: "malformed_authorization",
    surface: BEDROCK,
    headers: { authorization: "Basic YTpi" },
  },
];

for (const { name, kind, now, surface, headers = {} } of HEADER_REFUSALS) {
  Deno.test(`authenticate() answers ${kind} to ${name}`, async () => {
    const request = await signHeader(GET_DRAFT);
    const changed = new Headers(request.headers);
    for (const [header, value] of Object.entries(headers)) {
      if (value === null) changed.delete(header);
      else changed.set(header, value);
    }
    const options = { surface: surface ?? S3, now: now ?? SIGNED_AT };
    assertEquals(
      await refusalOf({ ...request, headers: changed }, options),
      kind,
    );
  });
}

for (const seconds of [-15 * 60, 15 * 60]) {
  Deno.test(`authenticate() takes a clock that is ${seconds} seconds off`, async () => {
    const request = await signHeader(GET_DRAFT);
    const { region } = await openGateway(later(seconds)).authenticate(
      request,
      S3,
    );
    assertEquals(region, "us-west-2");
  });
}

const QUERY_REFUSALS: readonly {
  name: string;
  kind: FailureKind;
  now?: Date;
  from?: string;
  to?: string;
  headers?: Record<string, string>;
}[] = [
  { name: "its last second past", kind: "expired_request", now: later(3601) },
  { name: "its time not come", kind: "access_denied", now: later(-901) },
  {
    name: "a lifetime of nothing",
    kind: "expired_request",
    now: later(1),
    from: "X-Amz-Expires=3600",
    to: "X-Amz-Expires=0",
  },
  {
    name: "a lifetime that is no number",
    kind: "malformed_query_authentication",
    from: "X-Amz-Expires=3600",
    to: "X-Amz-Expires=1h",
  },
  {
    name: "a lifetime over a week",
    kind: "malformed_query_authentication",
    from: "X-Amz-Expires=3600",
    to: "X-Amz-Expires=604801",
  },
  {
    name: "a negative lifetime",
    kind: "malformed_query_authentication",
    from: "X-Amz-Expires=3600",
    to: "X-Amz-Expires=-1",
  },
  {
    name: "a parameter missing",
    kind: "malformed_query_authentication",
    from: "&X-Amz-Expires=3600",
    to: "",
  },
  {
    name: "another algorithm",
    kind: "malformed_query_authentication",
    from: "AWS4-HMAC-SHA256",
    to: "AWS4-ECDSA-P256-SHA256",
  },
  {
    name: "a scope of another service",
    kind: "malformed_query_authentication",
    from: "us-west-2%2Fs3",
    to: "us-west-2%2Fsqs",
  },
  {
    name: "a scope that does not end as it should",
    kind: "malformed_query_authentication",
    from: "aws4_request",
    to: "aws3_request",
  },
  {
    name: "a date that is not its scope's",
    kind: "malformed_query_authentication",
    from: "X-Amz-Date=2026",
    to: "X-Amz-Date=3026",
  },
  {
    name: "an HTTP date",
    kind: "malformed_query_authentication",
    from: "X-Amz-Date=20260101T000000Z",
    to: "X-Amz-Date=Thu%2C%2001%20Jan%202026%2000%3A00%3A00%20GMT",
  },
  {
    name: "an unknown access key",
    kind: "unknown_access_key",
    from: "AKIDEXAMPLE",
    to: "AKIDUNKNOWN",
  },
  {
    name: "a session token",
    kind: "invalid_token",
    from: "X-Amz-Expires",
    to: "X-Amz-Security-Token=token&X-Amz-Expires",
  },
  {
    name: "a repeated parameter",
    kind: "invalid_argument",
    from: "X-Amz-Expires",
    to: "X-Amz-Expires=1&X-Amz-Expires",
  },
  {
    name: "an Authorization header beside it",
    kind: "invalid_argument",
    headers: { authorization: "AWS4-HMAC-SHA256 Credential=HAHAHA" },
  },
  {
    name: "a second kind of query signature beside it",
    kind: "invalid_argument",
    from: "X-Amz-Expires",
    to: "AWSAccessKeyId=AKIDEXAMPLE&X-Amz-Expires",
  },
  {
    name: "the body's hash in the query",
    kind: "unsupported",
    from: "=UNSIGNED-PAYLOAD",
    to: `=${EMPTY_SHA256_HEX}`,
  },
  {
    name: "an unsigned x-amz- header beside it",
    kind: "access_denied",
    headers: { "x-amz-meta-more": "1" },
  },
];

for (const { name, kind, now, from, to, headers } of QUERY_REFUSALS) {
  Deno.test(`authenticate() answers ${kind} to a presigned URL with ${name}`, async () => {
    const { method, target, headers: signed } = await presign(GET_DRAFT, 3600);
    const query = target.rawQuery.replace(from ?? "", to ?? "");
    const request = toRequest(method, `${target.rawPath}?${query}`, {
      ...Object.fromEntries(signed),
      ...headers,
    });
    assertEquals(await refusalOf(request, { now: now ?? SIGNED_AT }), kind);
  });
}

Deno.test("authenticate() takes a presigned URL up to its last second", async () => {
  const request = await presign(GET_DRAFT, 604_800);
  const { region } = await openGateway(later(604_800)).authenticate(
    request,
    S3,
  );
  assertEquals(region, "us-west-2");
});

Deno.test("authenticate() bounds the query", async () => {
  const many = Array.from({ length: 300 }, (_, i) => `p${i}`).join("&");
  for (const query of [many, "a".repeat(20_000)]) {
    const request = toRequest("GET", `/bedrock/files/b?${query}`, {});
    assertEquals(await refusalOf(request), "invalid_argument");
  }
});
