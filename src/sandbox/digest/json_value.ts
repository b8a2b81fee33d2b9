import { Buffer } from "node:buffer";
import { type Part, sha256Hex } from "./conversation.ts";

/** A JSON object; {} for anything else, since digests judge nothing. */
export function objectOf(value: unknown): Record<string, unknown> {
  const isObject = typeof value === "object" && value !== null &&
    !Array.isArray(value);
  return isObject ? value as Record<string, unknown> : {};
}

/** A JSON array; a lone value stands for a list of one. */
export function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null ? [] : [value];
}

export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

export function has(object: Record<string, unknown>, name: string): boolean {
  return object[name] !== undefined && object[name] !== null;
}

/** The members that are not in `known`, with their names in snake_case. */
export function extraOf(
  object: Record<string, unknown>,
  known: ReadonlySet<string>,
): Record<string, unknown> {
  const entries = Object.entries(object).filter(([name, value]) =>
    !known.has(name) && value !== undefined && value !== null
  );
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}

/** Parses a text that should be JSON; the text itself where it is not. */
export function parsedOr(text: unknown): unknown {
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A part whose bytes came as base64 text. */
export function mediaPart(mediaType: string, base64: unknown): Part {
  return bytesPart(mediaType, Buffer.from(textOf(base64), "base64"));
}

export function bytesPart(mediaType: string, bytes: Uint8Array): Part {
  const type = mediaType.toLowerCase().split(";")[0] ?? "";
  const sha256 = sha256Hex(bytes);
  if (type.startsWith("image/")) {
    return { kind: "image", mediaType: type, sha256 };
  }
  return { kind: "document", mediaType: documentType(type), sha256 };
}

/** A part named by a URL or a file id rather than given. */
export function referencePart(
  kind: "image" | "document",
  reference: unknown,
): Part {
  return { kind, mediaType: "url", sha256: sha256Hex(textOf(reference)) };
}

/** `data:` URLs are bytes, any other URL is a reference. */
export function urlPart(kind: "image" | "document", url: string): Part {
  const data = /^data:([^,]*?)(;base64)?,(.*)$/s.exec(url);
  if (data === null) return referencePart(kind, url);
  const [, mediaType = "", base64, content = ""] = data;
  if (base64 !== undefined) return mediaPart(mediaType, content);
  return bytesPart(mediaType, Buffer.from(content));
}

/**
 * Formats name text documents differently (Anthropic knows only plain text,
 * Converse has csv, html, md and txt), so all of them count as `text`.
 */
export function documentType(mediaType: string): string {
  if (mediaType.startsWith("text/")) return "text";
  return mediaType.replace(/^application\//, "");
}

/** The pieces of a tool's result: JSON counts the same as value or as text. */
export function resultText(value: unknown): Part {
  if (typeof value !== "string") {
    return { kind: "unknown", json: value };
  }
  const parsed = parsedOr(value);
  return typeof parsed === "object" && parsed !== null
    ? { kind: "unknown", json: parsed }
    : { kind: "text", text: value };
}
