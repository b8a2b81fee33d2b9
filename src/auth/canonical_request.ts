import { createHash } from "node:crypto";
import { decodePercent, type RequestTarget } from "../http/target.ts";

/** What a SigV4 signature covers, before it has its canonical form. */
export interface SignedParts {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: Headers;
  /** Lower-case names in the client's order. */
  readonly signedHeaders: readonly string[];
  /** Hex, or the literal that stands for it such as `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
  readonly pathStyle: PathStyle;
}

/**
 * `verbatim`: S3, where `..` and `//` belong to keys. `normalised`: every other
 * AWS service removes them and encodes the encoded path once more.
 */
export type PathStyle = "verbatim" | "normalised";

/**
 * SHA-256 of each canonical request that the client may have signed, most
 * likely first. There is more than one because clients disagree about
 * encoding: all forms of one request mean the same to the gateway, so a
 * signature over any of them covers it.
 */
export function* hashCanonicalRequests(
  parts: SignedParts,
): Generator<string, void> {
  const signedHeaders = parts.signedHeaders.join(";");
  for (const target of listTargetForms(parts)) {
    for (const block of listHeaderForms(parts)) {
      yield createHash("sha256")
        .update(`${parts.method}\n${target.path}\n${target.query}\n`)
        .update(block.text, block.encoding)
        .update(`\n${signedHeaders}\n${parts.payloadHash}`)
        .digest("hex");
    }
  }
}

// ---------------------------------------------------------------- target

interface TargetForm {
  readonly path: string;
  readonly query: string;
}

/** As on the wire, and as it is when each name and value is encoded anew. */
function listTargetForms(parts: SignedParts): TargetForm[] {
  const { rawPath, rawQuery } = parts.target;
  const pairs = splitQuery(rawQuery);
  const wire = { path: rawPath, query: joinQuery(pairs) };
  const encoded = {
    path: rawPath.split("/").map(reencode).join("/"),
    query: joinQuery(
      pairs.map(([name, value]) => [
        reencode(name.replaceAll("+", " ")),
        reencode(value.replaceAll("+", " ")),
      ]),
    ),
  };
  const forms = parts.pathStyle === "verbatim"
    ? [wire, encoded]
    : [wire, encoded].map(({ query }) => ({
      path: encodeTwice(rawPath),
      query,
    }));
  const unique = new Map(forms.map((form) => [JSON.stringify(form), form]));
  return [...unique.values()];
}

function splitQuery(rawQuery: string): [string, string][] {
  return rawQuery.split("&").filter((pair) => pair !== "").map((pair) => {
    const equals = pair.indexOf("=");
    return equals < 0
      ? [pair, ""]
      : [pair.slice(0, equals), pair.slice(equals + 1)];
  });
}

/** A presigned URL's own signature is the one thing that it cannot sign. */
function joinQuery(pairs: readonly [string, string][]): string {
  return pairs
    .filter(([name]) => name !== "X-Amz-Signature")
    .toSorted((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Removes dot segments and empty ones, as botocore and Smithy do. */
function encodeTwice(rawPath: string): string {
  const segments: string[] = [];
  for (const segment of rawPath.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  const isFolder = segments.length > 0 && rawPath.endsWith("/");
  const path = segments.map(encodeUnreserved).join("/");
  return `/${path}${isFolder ? "/" : ""}`;
}

function reencode(text: string): string {
  return encodeUnreserved(decodePercent(text));
}

/** Encodes all but `A-Za-z0-9-._~`, the unreserved ones of RFC 3986. */
function encodeUnreserved(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

// ---------------------------------------------------------------- headers

interface HeaderForm {
  readonly text: string;
  readonly encoding: "latin1" | "utf8";
}

/**
 * The runtime joins repeated headers with `, ` where signers use `,`, and
 * shows a header's bytes as Latin-1 where some clients sign its text as UTF-8.
 */
function listHeaderForms(parts: SignedParts): HeaderForm[] {
  const lines = parts.signedHeaders.map((name): [string, string] => {
    const value = parts.headers.get(name) ?? "";
    return [name, collapseSpaces(value)];
  });
  const wire = joinHeaders(lines);
  const forms: HeaderForm[] = [{ text: wire, encoding: "latin1" }];
  const joined = joinHeaders(
    lines.map(([name, value]) => [name, value.replaceAll(", ", ",")]),
  );
  if (joined !== wire) forms.push({ text: joined, encoding: "latin1" });
  // deno-lint-ignore no-control-regex -- ASCII is what both encodings share.
  if (/[^\x00-\x7f]/.test(wire)) forms.push({ text: wire, encoding: "utf8" });
  return forms;
}

/** Not `trim()`: in Latin-1 that takes the last byte of a UTF-8 `à`. */
function collapseSpaces(value: string): string {
  return value.replace(/[ \t]+/g, " ").replace(/^ | $/g, "");
}

function joinHeaders(lines: readonly [string, string][]): string {
  return lines.map(([name, value]) => `${name}:${value}\n`).join("");
}
