import { GatewayError } from "../failure.ts";
import {
  type ChecksumFactory,
  compositeChecksum,
  type RunningChecksum,
} from "./checksums.ts";
import { planDigestOf, selectParts } from "./part_selection.ts";
import type {
  CompletionOrder,
  ExpectedChecksum,
  Upload,
  UploadPart,
} from "./upload.ts";

/** What a completion makes, once it is known to be possible. */
export interface CompletionPlan {
  readonly digest: string;
  readonly parts: readonly UploadPart[];
  readonly sizeBytes: number;
  readonly checksum: PlannedChecksum;
}

/** The object's checksum: known before, or when all bytes have passed. */
export type PlannedChecksum =
  | { readonly kind: "none" }
  | { readonly kind: "known"; readonly name: string; readonly value: string }
  | {
    readonly kind: "running";
    readonly name: string;
    readonly sum: RunningChecksum;
    /** Null: whatever it turns out to be. */
    readonly expected: string | null;
  };

/**
 * @throws {GatewayError} What CompleteMultipartUpload answers to a list of
 * parts, a size or a checksum that does not fit the upload.
 */
export function planCompletion(
  upload: Upload,
  order: CompletionOrder,
  stored: ReadonlyMap<number, UploadPart>,
  createSum: ChecksumFactory,
): CompletionPlan {
  const parts = selectParts(upload.id, order.parts, stored);
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (order.sizeBytes !== null && order.sizeBytes !== sizeBytes) {
    throw new GatewayError(
      { kind: "invalid_request" },
      `The provided x-amz-mp-object-size of ${order.sizeBytes} bytes does not ` +
        `match the ${sizeBytes} bytes of the parts.`,
    );
  }
  return {
    digest: planDigestOf(order.parts),
    parts,
    sizeBytes,
    checksum: planChecksum(upload, order.checksum, parts, createSum),
  };
}

/** The checksums to store, once every byte has passed. */
export function checksumsOf(
  { checksum }: CompletionPlan,
): Readonly<Record<string, string>> {
  switch (checksum.kind) {
    case "none":
      return {};
    case "known":
      return { [checksum.name]: checksum.value };
    case "running": {
      const value = checksum.sum.base64();
      const { name, expected } = checksum;
      if (expected !== null && expected !== value) throw mismatch(name);
      return { [name]: value };
    }
  }
}

function planChecksum(
  upload: Upload,
  expected: ExpectedChecksum | null,
  parts: readonly UploadPart[],
  createSum: ChecksumFactory,
): PlannedChecksum {
  const chosen = upload.checksum;
  if (chosen !== null && expected !== null) {
    checkAlgorithm(chosen.algorithm, expected.algorithm);
  }
  const algorithm = chosen?.algorithm ?? expected?.algorithm;
  if (algorithm === undefined) return { kind: "none" };
  if (chosen?.type !== "COMPOSITE") {
    return {
      kind: "running",
      name: algorithm,
      sum: createSum(algorithm),
      expected: expected?.value ?? null,
    };
  }
  const values = parts.map(({ checksums }) => checksums[algorithm] ?? "");
  const value = compositeChecksum(values, createSum(algorithm));
  const given = expected?.value ?? value;
  const withCount = given.includes("-") ? given : `${given}-${parts.length}`;
  if (withCount !== value) throw mismatch(algorithm);
  return { kind: "known", name: algorithm, value };
}

function checkAlgorithm(chosen: string, given: string): void {
  if (chosen === given) return;
  throw new GatewayError(
    { kind: "invalid_request" },
    `The upload was created using the ${chosen.toUpperCase()} checksum; the ` +
      `complete request gives ${given.toUpperCase()}.`,
  );
}

function mismatch(name: string): GatewayError {
  const algorithm = name.toUpperCase();
  return new GatewayError(
    { kind: "bad_digest", algorithm },
    `The ${algorithm} you specified did not match the calculated checksum.`,
  );
}
