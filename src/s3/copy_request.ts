import type { ByteRange } from "../domain/bytes.ts";
import type { CopySource, SourceName } from "../domain/copies/copy_sources.ts";
import { GatewayError } from "../domain/failure.ts";
import { judgeRead, parseReadConditions } from "./conditions.ts";
import { parseCopySource } from "./copy_source.ts";

const SOURCE_PREFIX = "x-amz-copy-source-";

export type CopyDirective = "COPY" | "REPLACE";

/** The source that a copy names; S3 takes a bare plus for a space. */
export function readSourceName(headers: Headers): SourceName {
  return parseCopySource(headers.get("x-amz-copy-source") ?? "", "is_space");
}

/** @throws {GatewayError} `invalid_argument`. */
export function readMetadataDirective(headers: Headers): CopyDirective {
  const name = "x-amz-metadata-directive";
  const value = headers.get(name)?.trim() ?? "COPY";
  if (value === "COPY" || value === "REPLACE") return value;
  throw new GatewayError(
    { kind: "invalid_argument", argument: name, value: value.slice(0, 128) },
    "Unknown metadata directive.",
  );
}

/**
 * `x-amz-copy-source-if-*` (S3 API Reference, CopyObject): any that does not
 * hold is an error, also where a read would answer "not modified".
 *
 * @throws {GatewayError} `precondition_failed`.
 */
export function checkSourceConditions(
  headers: Headers,
  source: Pick<CopySource, "etag" | "modifiedAt">,
): void {
  const conditions = new Headers(
    [...headers].filter(([name]) => name.startsWith(`${SOURCE_PREFIX}if-`))
      .map(([name, value]) => [name.slice(SOURCE_PREFIX.length), value]),
  );
  const verdict = judgeRead(parseReadConditions(conditions), source);
  if (verdict.kind === "proceed") return;
  const condition = verdict.kind === "failed"
    ? verdict.condition
    : conditions.has("if-none-match")
    ? "If-None-Match"
    : "If-Modified-Since";
  throw new GatewayError(
    {
      kind: "precondition_failed",
      condition: SOURCE_PREFIX + condition.toLowerCase(),
    },
    "At least one of the pre-conditions you specified did not hold",
  );
}

/**
 * The part of the source that UploadPartCopy asks for; null: all of it.
 *
 * @throws {GatewayError} `invalid_argument`.
 */
export function readSourceRange(
  headers: Headers,
  { sizeBytes }: Pick<CopySource, "sizeBytes">,
): ByteRange | null {
  const name = "x-amz-copy-source-range";
  const text = headers.get(name);
  if (text === null) return null;
  const match = /^bytes=([0-9]{1,15})-([0-9]{1,15})$/.exec(text.trim());
  const [first, last] = [Number(match?.[1] ?? 1), Number(match?.[2] ?? 0)];
  if (match !== null && first <= last && last < sizeBytes) {
    return { offsetBytes: first, lengthBytes: last - first + 1 };
  }
  throw new GatewayError(
    { kind: "invalid_argument", argument: name, value: text.slice(0, 128) },
    match === null || first > last
      ? "The x-amz-copy-source-range value must be of the form " +
        "bytes=first-last where first and last are the zero-based offsets of " +
        "the first and last bytes to copy"
      : `Range specified is not valid for source object of size: ${sizeBytes}`,
  );
}

/** @throws {GatewayError} `invalid_request`. */
export function refuseCopyOntoItself(): never {
  throw new GatewayError(
    { kind: "invalid_request" },
    "This copy request is illegal because it is trying to copy an object to " +
      "itself without changing the object's metadata, storage class, website " +
      "redirect location or encryption attributes.",
  );
}
