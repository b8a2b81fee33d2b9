import type { ByteSpan } from "./body_file.ts";
import { S3Failure } from "./failure.ts";

/**
 * Reads `bytes=a-b`, `bytes=a-` or `bytes=-n`. Several ranges, or another
 * unit, count as none: S3 then sends the whole object.
 *
 * @returns null for the whole object.
 * @throws {S3Failure} `InvalidRange` where no byte of the object is meant.
 */
export function parseRange(
  header: string | null,
  sizeBytes: number,
): ByteSpan | null {
  const match = /^\s*bytes\s*=\s*([0-9]{0,15})\s*-\s*([0-9]{0,15})\s*$/i.exec(
    header ?? "",
  );
  if (match === null) return null;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return null;
  if (first === "") {
    const count = Number(last);
    if (count === 0 || sizeBytes === 0) throw invalidRange(header, sizeBytes);
    return { offset: Math.max(0, sizeBytes - count), end: sizeBytes };
  }
  const offset = Number(first);
  const end = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  // "bytes=5-2" makes no sense and is ignored, as RFC 9110 has it.
  if (last !== "" && Number(last) < offset) return null;
  if (offset >= sizeBytes) throw invalidRange(header, sizeBytes);
  return { offset, end };
}

/** The span of one part of an object that was uploaded in parts. */
export function partSpan(
  partSizes: readonly number[],
  partNumber: number,
): ByteSpan | null {
  const size = partSizes[partNumber - 1];
  if (size === undefined) return null;
  const offset = partSizes.slice(0, partNumber - 1)
    .reduce((sum, bytes) => sum + bytes, 0);
  return { offset, end: offset + size };
}

function invalidRange(header: string | null, sizeBytes: number): S3Failure {
  return new S3Failure(
    "InvalidRange",
    "The requested range is not satisfiable",
    {
      details: {
        RangeRequested: header ?? "",
        ActualObjectSize: String(sizeBytes),
      },
      headers: { "content-range": `bytes */${sizeBytes}` },
    },
  );
}
