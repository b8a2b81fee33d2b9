import { GatewayError } from "../domain/failure.ts";
import { unquoteEtag } from "./etag.ts";
import {
  branch,
  childText,
  leaf,
  malformedDocument,
  parseDocument,
  renderDocument,
  type XmlElement,
} from "./xml.ts";

/** S3's limit for one DeleteObjects. */
export const DELETIONS_MAX = 1000;

/** What DeleteObjects asks for. */
export interface DeleteDocument {
  readonly deletions: readonly Deletion[];
  /** Whether only failures are reported. */
  readonly quiet: boolean;
}

export interface Deletion {
  readonly key: string;
  readonly versionId: string | null;
  /** Unquoted. */
  readonly etag: string | null;
  /** Conditions that S3 keeps for directory buckets. */
  readonly lastModifiedTime: string | null;
  readonly size: string | null;
}

/** @throws {GatewayError} `malformed_xml`. */
export function parseDeleteDocument(bytes: Uint8Array): DeleteDocument {
  const root = parseDocument(bytes);
  if (root.name !== "Delete") throw malformedDocument("A Delete is expected.");
  const deletions = root.children
    .filter((child) => child.name === "Object")
    .map(parseDeletion);
  if (deletions.length === 0 || deletions.length > DELETIONS_MAX) {
    throw malformedDocument(`Delete takes 1 to ${DELETIONS_MAX} objects.`);
  }
  return { deletions, quiet: childText(root, "Quiet")?.trim() === "true" };
}

function parseDeletion(element: XmlElement): Deletion {
  const key = childText(element, "Key");
  if (key === null || key === "") {
    throw malformedDocument("Each Object has a Key.");
  }
  const etag = childText(element, "ETag");
  return {
    key,
    versionId: childText(element, "VersionId"),
    etag: etag === null ? null : unquoteEtag(etag),
    lastModifiedTime: childText(element, "LastModifiedTime"),
    size: childText(element, "Size"),
  };
}

/** The same document anew, so that nothing unread is passed on. */
export function renderDeleteDocument(document: DeleteDocument): string {
  return renderDocument(branch("Delete", [
    ...document.deletions.map((deletion) =>
      branch("Object", [
        leaf("Key", deletion.key),
        optional("VersionId", deletion.versionId),
        optional("ETag", deletion.etag),
        optional("LastModifiedTime", deletion.lastModifiedTime),
        optional("Size", deletion.size),
      ])
    ),
    document.quiet ? leaf("Quiet", "true") : null,
  ]));
}

function optional(name: string, value: string | null): XmlElement | null {
  return value === null ? null : leaf(name, value);
}

const INTEGRITY_HEADER =
  /^(content-md5|x-amz-checksum-(?!algorithm$|type$|mode$).+)$/;

/**
 * S3 refuses a bulk delete that nothing protects against a changed bit. A
 * trailer counts; it was verified with the body.
 *
 * @throws {GatewayError} `invalid_request`.
 */
export function requireIntegrityHeader(headers: Headers): void {
  const protecting = [...headers.keys()].some((name) =>
    INTEGRITY_HEADER.test(name)
  );
  if (protecting || headers.has("x-amz-trailer")) return;
  throw new GatewayError(
    { kind: "invalid_request" },
    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
  );
}
