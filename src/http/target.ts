import { GatewayError } from "../domain/failure.ts";

/**
 * A request target as it stood on the wire. `new URL().pathname` collapses
 * `..` and `//`, which are legal in S3 keys and part of what a client signed,
 * so the raw text is cut by hand and never normalised.
 */
export interface RequestTarget {
  /** Percent-encoded, starts with `/`. */
  readonly rawPath: string;
  /** Without the `?`; "" where there is none. */
  readonly rawQuery: string;
  /** Decoded pairs in wire order; a valueless name has "". */
  readonly query: readonly (readonly [name: string, value: string])[];
}

/** Never throws: which text is wrong where is for each front end to say. */
export function parseRequestTarget(url: string): RequestTarget {
  const schemeEnd = url.indexOf("://");
  const pathStart = schemeEnd < 0 ? 0 : url.indexOf("/", schemeEnd + 3);
  const target = pathStart < 0 ? "/" : url.slice(pathStart);
  const queryStart = target.indexOf("?");
  const rawPath = queryStart < 0 ? target : target.slice(0, queryStart);
  const rawQuery = queryStart < 0 ? "" : target.slice(queryStart + 1);
  return { rawPath, rawQuery, query: parseQuery(rawQuery) };
}

function parseQuery(rawQuery: string): [string, string][] {
  return rawQuery.split("&").filter((pair) => pair !== "").map((pair) => {
    const equals = pair.indexOf("=");
    if (equals < 0) return [decodeQuery(pair), ""];
    return [
      decodeQuery(pair.slice(0, equals)),
      decodeQuery(pair.slice(equals + 1)),
    ];
  });
}

/** Text that is not validly encoded stays as it is and means nothing. */
function decodeQuery(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** @throws {GatewayError} `invalid_uri` where the text is not valid UTF-8. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new GatewayError(
      { kind: "invalid_uri" },
      "The request target is not validly percent-encoded UTF-8.",
      { cause },
    );
  }
}
