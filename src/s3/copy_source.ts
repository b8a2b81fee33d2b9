import { GatewayError } from "../domain/failure.ts";

/** The object that `x-amz-copy-source` names. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | null;
}

/**
 * Reads `bucket/url-encoded-key[?versionId=…]`, with or without a slash in
 * front. S3 takes a bare `+` for a space and other servers take it as it is,
 * so the caller says which.
 *
 * @throws {GatewayError} `invalid_argument`.
 */
export function parseCopySource(
  header: string,
  plus: "is_space" | "is_plus",
): CopySource {
  const [rawPath = "", rawVersion] = splitVersion(header);
  const path = decode(
    plus === "is_space" ? rawPath.replaceAll("+", " ") : rawPath,
    header,
  ).replace(/^\//, "");
  const slash = path.indexOf("/");
  const bucket = path.slice(0, Math.max(slash, 0));
  const key = path.slice(slash + 1);
  if (bucket === "" || key === "") throw invalid(header);
  const versionId = rawVersion === undefined
    ? null
    : decode(rawVersion, header);
  return { bucket, key, versionId };
}

function splitVersion(header: string): string[] {
  const at = header.indexOf("?versionId=");
  if (at < 0) return [header];
  return [header.slice(0, at), header.slice(at + "?versionId=".length)];
}

function decode(text: string, header: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid(header, { cause });
  }
}

function invalid(header: string, options?: ErrorOptions): GatewayError {
  return new GatewayError(
    {
      kind: "invalid_argument",
      argument: "x-amz-copy-source",
      value: header.slice(0, 1024),
    },
    "Copy Source must mention the source bucket and key: " +
      "sourcebucket/sourcekey",
    options,
  );
}
