import { parseDigestAlgorithm } from "../auth/digest.ts";
import { type OrderedPart, PART_NUMBER_MAX } from "../domain/uploads/upload.ts";
import { unquoteEtag } from "./etag.ts";
import {
  childText,
  malformedDocument,
  parseDocument,
  type XmlElement,
} from "./xml.ts";

/** Longer than any ETag of a part; the answer repeats a wrong one. */
const ETAG_LENGTH_MAX = 256;

/**
 * The parts that CompleteMultipartUpload lists, in the order given.
 *
 * @throws {GatewayError} `malformed_xml`.
 */
export function parseCompletionDocument(bytes: Uint8Array): OrderedPart[] {
  const root = parseDocument(bytes);
  if (root.name !== "CompleteMultipartUpload") {
    throw malformedDocument("A CompleteMultipartUpload is expected.");
  }
  const parts = root.children.filter(({ name }) => name === "Part");
  if (parts.length === 0 || parts.length > PART_NUMBER_MAX) {
    throw malformedDocument(`It lists 1 to ${PART_NUMBER_MAX} parts.`);
  }
  return parts.map(parsePart);
}

function parsePart(element: XmlElement): OrderedPart {
  const numberText = childText(element, "PartNumber")?.trim() ?? "";
  const partNumber = /^[0-9]{1,9}$/.test(numberText) ? Number(numberText) : 0;
  const etag = unquoteEtag(childText(element, "ETag") ?? "");
  if (partNumber < 1 || etag === "" || etag.length > ETAG_LENGTH_MAX) {
    throw malformedDocument("Each Part has a PartNumber and an ETag.");
  }
  return { partNumber, etag, checksums: parseChecksums(element) };
}

/** `ChecksumCRC32` and the like; an algorithm that nobody knows is left out. */
function parseChecksums({ children }: XmlElement): Record<string, string> {
  const checksums: Record<string, string> = {};
  for (const { name, text } of children) {
    if (!name.startsWith("Checksum")) continue;
    const algorithm = parseDigestAlgorithm(name.slice("Checksum".length));
    if (algorithm !== null) checksums[algorithm] = text.trim();
  }
  return checksums;
}
