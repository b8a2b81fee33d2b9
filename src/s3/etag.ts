/** S3 puts every ETag in double quotes, in headers and in XML alike. */
export function quoteEtag(etag: string): string {
  return `"${etag}"`;
}

/**
 * An ETag as a caller gave it, without quotes. boto3 passes on what it is
 * given, so `file-abc` and `"file-abc"` both come. A weak mark is dropped:
 * proxies that compress add it, and an id never names two contents.
 */
export function unquoteEtag(text: string): string {
  const trimmed = text.trim().replace(/^W\//, "");
  return /^".*"$/s.test(trimmed) ? trimmed.slice(1, -1) : trimmed;
}

/**
 * The value of an ETag condition with quotes around every bare ETag. S3 takes
 * both forms, and other servers that speak its API only the quoted one.
 */
export function withQuotedEtags(header: string): string {
  return header.split(",").map((part) => {
    const etag = part.trim();
    const isBare = /^[^"*]+$/.test(etag) && !etag.startsWith("W/");
    return isBare ? quoteEtag(etag) : etag;
  }).join(", ");
}

/** What `If-Match` and `If-None-Match` hold. */
export type EtagCondition =
  | { readonly kind: "any" }
  | { readonly kind: "listed"; readonly etags: readonly string[] };

/** Reads `*`, one ETag or a comma-separated list; null for no header. */
export function parseEtagCondition(
  header: string | null,
): EtagCondition | null {
  if (header === null) return null;
  const etags = header.split(",").map(unquoteEtag).filter((tag) => tag !== "");
  return etags.includes("*") ? { kind: "any" } : { kind: "listed", etags };
}

export function etagMatches(condition: EtagCondition, etag: string): boolean {
  return condition.kind === "any" || condition.etags.includes(etag);
}

/** The one ETag that a condition names; null for `*`, a list or nothing. */
export function soleEtag(condition: EtagCondition | null): string | null {
  if (condition?.kind !== "listed" || condition.etags.length !== 1) return null;
  return condition.etags[0] ?? null;
}
