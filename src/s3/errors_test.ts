import { assert, assertEquals } from "@std/assert";
import { type Failure, GatewayError } from "../domain/failure.ts";
import { describeFailure } from "./errors.ts";

function describe(failure: Failure) {
  const { status, code, details, headers } = describeFailure(
    new GatewayError(failure, "why"),
  );
  const shown = details.map(({ name, text }) => `${name}=${text}`);
  return { status, code, details: shown.join(" "), headers };
}

for (
  const { failure, status, code, details } of [
    {
      failure: { kind: "invalid_argument", argument: "max-keys", value: "x" },
      status: 400,
      code: "InvalidArgument",
      details: "ArgumentName=max-keys ArgumentValue=x",
    },
    {
      failure: { kind: "no_such_key", key: "a/b" },
      status: 404,
      code: "NoSuchKey",
      details: "Key=a/b",
    },
    {
      failure: { kind: "no_such_bucket", bucket: "b" },
      status: 404,
      code: "NoSuchBucket",
      details: "BucketName=b",
    },
    {
      failure: {
        kind: "invalid_part",
        uploadId: "u",
        partNumber: 3,
        etag: "e",
      },
      status: 400,
      code: "InvalidPart",
      details: "UploadId=u PartNumber=3 ETag=e",
    },
    {
      failure: { kind: "invalid_part_order", uploadId: "u" },
      status: 400,
      code: "InvalidPartOrder",
      details: "UploadId=u",
    },
    {
      failure: { kind: "precondition_failed", condition: "If-Match" },
      status: 412,
      code: "PreconditionFailed",
      details: "Condition=If-Match",
    },
    {
      failure: { kind: "entity_too_large", sizeBytes: 9, bytesMax: 5 },
      status: 400,
      code: "EntityTooLarge",
      details: "ProposedSize=9 MaxSizeAllowed=5",
    },
    {
      failure: { kind: "entity_too_large", bytesMax: 5 },
      status: 400,
      code: "EntityTooLarge",
      details: "MaxSizeAllowed=5",
    },
    {
      failure: { kind: "signature_mismatch", accessKeyId: "id" },
      status: 403,
      code: "SignatureDoesNotMatch",
      details: "AWSAccessKeyId=id",
    },
    {
      failure: { kind: "malformed_query_authentication" },
      status: 400,
      code: "AuthorizationQueryParametersError",
      details: "",
    },
    {
      failure: { kind: "unsupported" },
      status: 501,
      code: "NotImplemented",
      details: "",
    },
    {
      failure: { kind: "quota_exceeded" },
      status: 403,
      code: "QuotaExceeded",
      details: "",
    },
    {
      failure: { kind: "invalid_object_state" },
      status: 403,
      code: "InvalidObjectState",
      details: "",
    },
    {
      failure: { kind: "write_conflict" },
      status: 409,
      code: "ConditionalRequestConflict",
      details: "",
    },
  ] satisfies { failure: Failure; [rest: string]: unknown }[]
) {
  Deno.test(`describeFailure() gives ${code} for ${JSON.stringify(failure)}`, () => {
    const got = describe(failure);
    assertEquals(
      { status: got.status, code: got.code, details: got.details },
      { status, code, details },
    );
  });
}

Deno.test("describeFailure() tells a limited client how long to wait", () => {
  const got = describe({ kind: "rate_limited", retryAfterMs: 2500 });
  assertEquals([got.status, got.code], [503, "SlowDown"]);
  assertEquals(got.headers, {
    "retry-after": "3",
    "x-amz-retry-after": "2500",
  });
  assert("retry-after" in describe({ kind: "rate_limited" }).headers);
});

Deno.test("describeFailure() names the size of an unsatisfiable range's object", () => {
  const got = describe({ kind: "invalid_range", sizeBytes: 7 });
  assertEquals([got.status, got.details], [416, "ActualObjectSize=7"]);
  assertEquals(got.headers, { "content-range": "bytes */7" });
});

/** botocore's standard mode retries these statuses. */
const RETRIED = [500, 502, 503, 504];

for (
  const failure of [
    { kind: "unsupported" },
    { kind: "quota_exceeded" },
    { kind: "storage_full" },
    { kind: "invalid_object_state" },
    { kind: "access_denied" },
    { kind: "entity_too_large", bytesMax: 1 },
  ] satisfies Failure[]
) {
  Deno.test(`describeFailure() keeps SDKs from repeating ${failure.kind}`, () => {
    assert(!RETRIED.includes(describe(failure).status));
  });
}

for (
  const failure of [
    { kind: "rate_limited" },
    { kind: "upstream_unavailable" },
    { kind: "upstream_timeout" },
    { kind: "upstream_failed" },
  ] satisfies Failure[]
) {
  Deno.test(`describeFailure() lets SDKs repeat ${failure.kind}`, () => {
    assert(RETRIED.includes(describe(failure).status));
  });
}
