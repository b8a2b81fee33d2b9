import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Principal } from "../domain/context.ts";
import { GatewayError } from "../domain/failure.ts";
import { mayReach, type Reach, requireReach } from "./access.ts";

function withBuckets(...buckets: string[]): Principal {
  return {
    tenant: "t",
    accessKeyId: "id",
    admin: false,
    providers: null,
    defaultProvider: null,
    buckets,
  };
}

const key = (key: string): Reach => ({ kind: "key", key });
const prefix = (prefix: string): Reach => ({ kind: "prefix", prefix });
const BUCKET: Reach = { kind: "bucket" };
const WHOLE: Reach = { kind: "whole_bucket" };

for (
  const { pattern, bucket, reach, want } of [
    { pattern: "*", bucket: "any", reach: WHOLE, want: true },
    { pattern: "b", bucket: "b", reach: WHOLE, want: true },
    { pattern: "b", bucket: "b", reach: key("k"), want: true },
    { pattern: "b", bucket: "b", reach: prefix(""), want: true },
    { pattern: "b", bucket: "bb", reach: BUCKET, want: false },
    { pattern: "b", bucket: "B", reach: BUCKET, want: false },
    { pattern: "b/in/*", bucket: "b", reach: BUCKET, want: true },
    { pattern: "b/in/*", bucket: "b", reach: WHOLE, want: false },
    { pattern: "b/in/*", bucket: "b", reach: key("in/k"), want: true },
    { pattern: "b/in/*", bucket: "b", reach: key("in"), want: false },
    { pattern: "b/in/*", bucket: "b", reach: key("other"), want: false },
    { pattern: "b/in/*", bucket: "b", reach: key("in/../other"), want: false },
    { pattern: "b/in/*", bucket: "b", reach: prefix("in/x"), want: true },
    { pattern: "b/in/*", bucket: "b", reach: prefix("in"), want: false },
    { pattern: "b/in/*", bucket: "b", reach: prefix(""), want: false },
    { pattern: "b/in/*", bucket: "c", reach: key("in/k"), want: false },
    { pattern: "b/*", bucket: "b", reach: WHOLE, want: true },
    { pattern: "b/*", bucket: "b", reach: key("../x"), want: true },
    { pattern: "b/one", bucket: "b", reach: key("one"), want: false },
  ]
) {
  const what = "key" in reach
    ? `key ${reach.key}`
    : "prefix" in reach
    ? `prefix "${reach.prefix}"`
    : reach.kind;
  const verb = want ? "lets" : "keeps";
  Deno.test(`mayReach() ${verb} ${pattern} to ${what} of ${bucket}`, () => {
    assertEquals(mayReach(withBuckets(pattern), bucket, reach), want);
  });
}

Deno.test("mayReach() lets an admin everywhere and a bare credential nowhere", () => {
  assert(!mayReach(withBuckets(), "b", BUCKET));
  assert(mayReach({ ...withBuckets(), admin: true }, "b", WHOLE));
});

Deno.test("requireReach() denies with access_denied", () => {
  const error = assertThrows(
    () => requireReach(withBuckets("a"), "b", BUCKET),
    GatewayError,
  );
  assertEquals(error.failure.kind, "access_denied");
});
