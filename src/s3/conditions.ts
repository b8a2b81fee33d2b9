import { GatewayError } from "../domain/failure.ts";
import type { PutCondition } from "../domain/object.ts";
import {
  type EtagCondition,
  etagMatches,
  parseEtagCondition,
  soleEtag,
} from "./etag.ts";

/** The conditional headers of GetObject and HeadObject. */
export interface ReadConditions {
  readonly ifMatch: EtagCondition | null;
  readonly ifNoneMatch: EtagCondition | null;
  readonly ifModifiedSince: Date | null;
  readonly ifUnmodifiedSince: Date | null;
}

export type ReadVerdict =
  | { readonly kind: "proceed" }
  | { readonly kind: "not_modified" }
  | { readonly kind: "failed"; readonly condition: string };

export function parseReadConditions(headers: Headers): ReadConditions {
  return {
    ifMatch: parseEtagCondition(headers.get("if-match")),
    ifNoneMatch: parseEtagCondition(headers.get("if-none-match")),
    ifModifiedSince: parseHttpDate(headers.get("if-modified-since")),
    ifUnmodifiedSince: parseHttpDate(headers.get("if-unmodified-since")),
  };
}

/**
 * S3's precedence (S3 API Reference, GetObject): an If-Match that holds
 * overrides If-Unmodified-Since, an If-None-Match that is given overrides
 * If-Modified-Since.
 */
export function judgeRead(
  conditions: ReadConditions,
  object: { readonly etag: string; readonly modifiedAt: Date },
): ReadVerdict {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } =
    conditions;
  if (ifMatch !== null) {
    if (!etagMatches(ifMatch, object.etag)) {
      return { kind: "failed", condition: "If-Match" };
    }
  } else if (
    ifUnmodifiedSince !== null && isAfter(object.modifiedAt, ifUnmodifiedSince)
  ) {
    return { kind: "failed", condition: "If-Unmodified-Since" };
  }
  if (ifNoneMatch !== null) {
    return etagMatches(ifNoneMatch, object.etag)
      ? { kind: "not_modified" }
      : { kind: "proceed" };
  }
  if (
    ifModifiedSince !== null && !isAfter(object.modifiedAt, ifModifiedSince)
  ) {
    return { kind: "not_modified" };
  }
  return { kind: "proceed" };
}

/**
 * PutObject's conditions: S3 takes `If-None-Match: *` and an `If-Match` with
 * one ETag, and answers NotImplemented to every other form.
 *
 * @throws {GatewayError} `unsupported`.
 */
export function parsePutCondition(headers: Headers): PutCondition {
  const absent = parseEtagCondition(headers.get("if-none-match"));
  if (absent !== null && absent.kind !== "any") {
    throw unsupportedCondition('If-None-Match takes only "*" on a write.');
  }
  const present = parseEtagCondition(headers.get("if-match"));
  const etag = soleEtag(present);
  if (present !== null && etag === null) {
    throw unsupportedCondition("If-Match takes exactly one ETag on a write.");
  }
  return { absent: absent !== null, etag };
}

function unsupportedCondition(detail: string): GatewayError {
  return new GatewayError(
    { kind: "unsupported" },
    `A header you provided implies functionality that is not implemented: ${detail}`,
  );
}

/** A date that cannot be read is no condition (RFC 9110, section 13.1.3). */
function parseHttpDate(header: string | null): Date | null {
  if (header === null) return null;
  const date = new Date(header);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** HTTP dates have whole seconds, so the finer part never makes a change. */
function isAfter(modifiedAt: Date, date: Date): boolean {
  return Math.floor(modifiedAt.getTime() / 1000) >
    Math.floor(date.getTime() / 1000);
}
