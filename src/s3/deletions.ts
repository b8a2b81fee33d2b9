import { GatewayError } from "../domain/failure.ts";
import { documentAnswer, type S3Answer } from "./answer.ts";
import type { BucketCall } from "./call.ts";
import {
  type Deletion,
  parseDeleteDocument,
  requireIntegrityHeader,
} from "./delete_document.ts";
import { describeError } from "./error_answer.ts";
import { readDocument } from "./exchange.ts";
import type { FileExchange } from "./file_exchange.ts";
import { requireKey } from "./name.ts";
import { branch, leaf, type XmlElement } from "./xml.ts";

/** Providers limit rates, and one bulk call must not use all of one's. */
const CONCURRENCY = 8;

/**
 * Deletes each key for itself; one that fails is reported and stops no other.
 * A bulk delete never names a file by its id: clients send it for whatever a
 * list showed, which would empty an account.
 */
export async function deleteObjects(
  exchange: FileExchange,
  { bucket }: BucketCall,
): Promise<S3Answer> {
  requireIntegrityHeader(exchange.headers);
  const { bytes } = await readDocument(exchange);
  const { deletions, quiet } = parseDeleteDocument(bytes);
  const outcomes: (XmlElement | null)[] = deletions.map(() => null);
  const queue = deletions.entries();
  async function work(): Promise<void> {
    for (const [index, deletion] of queue) {
      exchange.context.signal.throwIfAborted();
      outcomes[index] = await tryDelete(exchange, bucket, deletion);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return documentAnswer(branch(
    "DeleteResult",
    outcomes.filter((outcome) => !quiet || outcome?.name === "Error"),
  ));
}

async function tryDelete(
  exchange: FileExchange,
  bucket: string,
  deletion: Deletion,
): Promise<XmlElement> {
  try {
    await deleteOne(exchange, bucket, deletion);
    return branch("Deleted", [leaf("Key", deletion.key)]);
  } catch (error) {
    if (!(error instanceof GatewayError)) exchange.report(error);
    const { code, message } = describeError(error);
    return branch("Error", [
      leaf("Key", deletion.key),
      leaf("Code", code),
      leaf("Message", message),
    ]);
  }
}

async function deleteOne(
  exchange: FileExchange,
  bucket: string,
  deletion: Deletion,
): Promise<void> {
  const { context, files, provider } = exchange;
  const { key, etag } = deletion;
  requireKey(key);
  refuseConditions(deletion);
  const name = { bucket, key, ifMatch: null };
  if (etag !== null) {
    const object = await files.find(context, provider, name);
    if (etag !== "*" && object.etag !== etag) {
      throw new GatewayError(
        { kind: "precondition_failed", condition: "ETag" },
        "At least one of the pre-conditions you specified did not hold",
      );
    }
  }
  await files.delete(context, provider, name);
}

function refuseConditions(deletion: Deletion): void {
  const { versionId, lastModifiedTime, size } = deletion;
  if (versionId !== null && versionId !== "null") {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "versionId" },
      "Invalid version id specified",
    );
  }
  if (lastModifiedTime !== null || size !== null) {
    throw new GatewayError(
      { kind: "unsupported" },
      "LastModifiedTime and Size conditions are not implemented.",
    );
  }
}
