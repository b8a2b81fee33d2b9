import { receiveText } from "./body.ts";
import type { S3Call } from "./call.ts";
import { malformedXml, S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import {
  childText,
  element,
  type Markup,
  parseXml,
  xmlDocument,
  type XmlElement,
  xmlResponse,
} from "./xml.ts";

const KEYS_MAX = 1000;
const XML_BYTES_MAX = 8 * 1024 * 1024;

/** See DeleteObjects in the S3 API Reference. */
export async function deleteObjects(
  call: S3Call,
  folder: S3Folder,
): Promise<Response> {
  const bucket = folder.bucket(call.bucket);
  requireIntegrity(call.request.headers);
  const root = parseXml(await receiveText(call.request, XML_BYTES_MAX));
  if (root?.name !== "Delete") throw malformedXml();
  const objects = root.children.filter(({ name }) => name === "Object");
  if (objects.length === 0 || objects.length > KEYS_MAX) throw malformedXml();
  const isQuiet = childText(root, "Quiet")?.trim() === "true";
  const lines: Markup[] = [];
  for (const entry of objects) {
    const key = childText(entry, "Key");
    if (key === null || key === "") throw malformedXml();
    const failure = conditionFailure(entry, bucket.find(key)?.etag ?? null);
    if (failure === null) bucket.remove(key);
    if (failure !== null) lines.push(errorLine(key, failure));
    else if (!isQuiet) lines.push(element("Deleted", [element("Key", key)]));
  }
  return xmlResponse(xmlDocument("DeleteResult", lines));
}

/** S3 demands some digest of the list, so that no wrong key is deleted. */
function requireIntegrity(headers: Headers): void {
  const names = [...headers.keys()];
  const isProtected = headers.has("content-md5") ||
    headers.has("x-amz-trailer") ||
    names.some((name) => /^x-amz-checksum-(crc|sha)/.test(name));
  if (isProtected) return;
  throw new S3Failure(
    "InvalidRequest",
    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
  );
}

type LineFailure = readonly [code: string, message: string];

function conditionFailure(
  entry: XmlElement,
  etag: string | null,
): LineFailure | null {
  const version = childText(entry, "VersionId") ?? "null";
  if (version !== "null") {
    return ["NoSuchVersion", "The specified version does not exist."];
  }
  const expected = childText(entry, "ETag")?.replace(/^"(.*)"$/, "$1");
  if (expected === undefined || expected === etag || etag === null) return null;
  return [
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
  ];
}

function errorLine(key: string, [code, message]: LineFailure): Markup {
  return element("Error", [
    element("Key", key),
    element("Code", code),
    element("Message", message),
  ]);
}
