import type { Principal } from "../domain/context.ts";
import { GatewayError } from "../domain/failure.ts";

/** What a call touches in a real bucket. */
export type Reach =
  /** The bucket itself, to look at. */
  | { readonly kind: "bucket" }
  /** Everything in it. */
  | { readonly kind: "whole_bucket" }
  | { readonly kind: "key"; readonly key: string }
  /** Every key that starts so. */
  | { readonly kind: "prefix"; readonly prefix: string };

/**
 * Checks a call on a real bucket against the credential's `buckets`: `*`,
 * `name` or `name/prefix*`.
 *
 * @throws {GatewayError} `access_denied`.
 */
export function requireReach(
  principal: Principal,
  bucket: string,
  reach: Reach,
): void {
  if (mayReach(principal, bucket, reach)) return;
  throw new GatewayError(
    { kind: "access_denied" },
    `Access Denied: this credential's buckets do not include what was asked ` +
      `for in "${bucket}".`,
  );
}

/** Whether the credential reaches every bucket there is. */
export function reachesEveryBucket(principal: Principal): boolean {
  return principal.admin || principal.buckets.includes("*");
}

export function mayReach(
  principal: Principal,
  bucket: string,
  reach: Reach,
): boolean {
  return reachesEveryBucket(principal) ||
    principal.buckets.some((pattern) => covers(pattern, bucket, reach));
}

function covers(pattern: string, bucket: string, reach: Reach): boolean {
  const slash = pattern.indexOf("/");
  if (slash < 0) return pattern === bucket;
  if (pattern.slice(0, slash) !== bucket || !pattern.endsWith("*")) {
    return false;
  }
  const start = pattern.slice(slash + 1, -1);
  switch (reach.kind) {
    case "bucket":
      return true;
    case "whole_bucket":
      return start === "";
    case "key":
      return isWithin(reach.key, start);
    case "prefix":
      return isWithin(reach.prefix, start);
  }
}

/**
 * Dot segments mean nothing to S3, but a server that keeps objects in a file
 * system may resolve them, and leave the prefix.
 */
function isWithin(key: string, start: string): boolean {
  if (start === "") return true;
  const mayLeave = key.split("/").some((segment) =>
    segment === "." || segment === ".."
  );
  return !mayLeave && key.startsWith(start);
}
