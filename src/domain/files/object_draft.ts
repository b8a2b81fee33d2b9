import type { RecordFormat } from "../../records/detect.ts";
import type { ObjectDraft, ObjectHeaders } from "../object.ts";
import type { WriteTarget } from "./file_writer.ts";

const JSON_LINES_TYPE = "application/jsonl";

/** What is known of a draft before its body is read. */
export function targetOf(draft: ObjectDraft): WriteTarget {
  const { bucket, key, headers, condition, body: { sizeBytes } } = draft;
  return { bucket, key, headers, condition, sizeBytes };
}

/** The same once the body has closed: with the checksum that came behind it. */
export function storedTargetOf(draft: ObjectDraft): WriteTarget {
  return { ...targetOf(draft), headers: storedHeaders(draft) };
}

function storedHeaders({ headers, body }: ObjectDraft): ObjectHeaders {
  if (body.trailer === undefined) return headers;
  const name = body.trailer.name.toLowerCase().replace("x-amz-checksum-", "");
  const checksums = { ...headers.checksums, [name]: body.trailer.value() };
  return { ...headers, checksums };
}

/** What never goes to a provider, whatever is in it. */
export function mustBeKept(
  { key, sizeBytes }: Pick<WriteTarget, "key" | "sizeBytes">,
): boolean {
  return sizeBytes === 0 || key.endsWith("/");
}

/** Records are JSON lines, whatever an S3 client calls them. */
export function contentTypeOf(
  { headers, key }: ObjectDraft,
  format: RecordFormat | null,
): string {
  if (format !== null || key.endsWith(".jsonl")) return JSON_LINES_TYPE;
  return headers.contentType ?? "application/octet-stream";
}
