import type { ByteRange } from "../domain/bytes.ts";

export type RangeChoice =
  | { readonly kind: "whole" }
  | { readonly kind: "slice"; readonly range: ByteRange }
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeChoice = { kind: "whole" };

/**
 * What a `Range` header asks of an object of that size. As in S3, a header
 * that is no single well-formed byte range is ignored and the whole object is
 * given; a range that lies outside the object is unsatisfiable.
 */
export function chooseRange(
  header: string | null,
  sizeBytes: number,
): RangeChoice {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "");
  const first = match?.[1] ?? "";
  const last = match?.[2] ?? "";
  if (first === "" && last === "") return WHOLE;
  if (first === "") return chooseSuffix(Number(last), sizeBytes);
  const offsetBytes = Number(first);
  const lastBytes = last === "" ? Infinity : Number(last);
  if (lastBytes < offsetBytes) return WHOLE;
  if (offsetBytes >= sizeBytes) return { kind: "unsatisfiable" };
  const endBytes = Math.min(lastBytes + 1, sizeBytes);
  return slice(offsetBytes, endBytes - offsetBytes);
}

function chooseSuffix(countBytes: number, sizeBytes: number): RangeChoice {
  if (countBytes === 0 || sizeBytes === 0) return { kind: "unsatisfiable" };
  const lengthBytes = Math.min(countBytes, sizeBytes);
  return slice(sizeBytes - lengthBytes, lengthBytes);
}

function slice(offsetBytes: number, lengthBytes: number): RangeChoice {
  return { kind: "slice", range: { offsetBytes, lengthBytes } };
}

/** The value of `Content-Range` for a slice of an object. */
export function contentRange(range: ByteRange, sizeBytes: number): string {
  const last = range.offsetBytes + range.lengthBytes - 1;
  return `bytes ${range.offsetBytes}-${last}/${sizeBytes}`;
}
