import type { CallContext } from "../context.ts";
import { GatewayError } from "../failure.ts";
import type { FileWriter } from "../files/file_writer.ts";
import type { Versioned } from "../versioned.ts";
import { type ChecksumFactory, summed, toHex } from "./checksums.ts";
import { newPartKey, type PartBytes } from "./part_bytes.ts";
import {
  PART_NUMBER_MAX,
  type PartDraft,
  type Upload,
  type UploadPart,
} from "./upload.ts";
import type { UploadIndex } from "./upload_index.ts";

/** Each lost attempt means that somebody else's put of the part won. */
const COMMIT_ATTEMPTS_MAX = 100;

export interface PartWriterDeps {
  readonly index: UploadIndex;
  readonly bytes: PartBytes;
  readonly files: FileWriter;
  readonly createSum: ChecksumFactory;
}

/** Keeps parts: bytes first, then the entry by which they count. */
export class PartWriter {
  readonly #deps: PartWriterDeps;

  constructor(deps: PartWriterDeps) {
    this.#deps = deps;
  }

  async put(
    call: CallContext,
    upload: Versioned<Upload>,
    draft: PartDraft,
    { find, bytesMax }: {
      /** Reads the upload again; rejects where it takes no parts any more. */
      readonly find: () => Promise<Versioned<Upload>>;
      /** The provider's bound for the whole file. */
      readonly bytesMax: number;
    },
  ): Promise<UploadPart> {
    const { bytes, index } = this.#deps;
    const { id } = upload.value;
    checkPartNumber(draft.partNumber);
    checkAlgorithm(upload.value, draft);
    const replaced = await index.getPart(id, draft.partNumber);
    await this.#checkTotal(id, draft, {
      replacedBytes: replaced?.value.sizeBytes ?? 0,
      bytesMax,
    });
    const part = await this.#store(call, upload.value, draft);
    try {
      await this.#commit(upload, part, replaced, find);
    } catch (error) {
      await bytes.delete(part.storeKey);
      throw error;
    }
    return part;
  }

  /** What the provider would never take need not be kept. */
  async #checkTotal(
    uploadId: string,
    { body }: PartDraft,
    { replacedBytes, bytesMax }: { replacedBytes: number; bytesMax: number },
  ): Promise<void> {
    const keptBytes = await this.#deps.index.partBytes(uploadId);
    const sizeBytes = keptBytes - replacedBytes + body.sizeBytes;
    if (sizeBytes <= bytesMax) return;
    throw new GatewayError(
      { kind: "entity_too_large", sizeBytes, bytesMax },
      `With this part the upload has ${sizeBytes} bytes; the provider takes ` +
        `at most ${bytesMax} for one file.`,
    );
  }

  async #store(
    call: CallContext,
    upload: Upload,
    { partNumber, body, checksums }: PartDraft,
  ): Promise<UploadPart> {
    const { bytes, createSum } = this.#deps;
    const storeKey = newPartKey(upload.id, partNumber);
    const md5 = createSum("md5");
    const algorithm = upload.checksum?.algorithm ?? null;
    const isGiven = algorithm === null ||
      givenAlgorithms({ body, checksums }).includes(algorithm);
    const own = isGiven ? null : createSum(algorithm);
    const sums = own === null ? [md5] : [md5, own];
    const stored = await bytes
      .put(storeKey, summed(body.stream, sums), call.signal);
    return {
      partNumber,
      storeKey,
      sizeBytes: stored.sizeBytes,
      etag: toHex(md5.base64()),
      modifiedAt: stored.modifiedAt,
      checksums: {
        ...checksums,
        ...trailerChecksum(body),
        ...(own === null || algorithm === null
          ? {}
          : { [algorithm]: own.base64() }),
      },
    };
  }

  /** Of two puts of one part, the one that is committed later counts. */
  async #commit(
    upload: Versioned<Upload>,
    part: UploadPart,
    replaced: Versioned<UploadPart> | null,
    find: () => Promise<Versioned<Upload>>,
  ): Promise<void> {
    const { index, bytes } = this.#deps;
    const { id } = upload.value;
    let current = upload;
    let previous = replaced;
    for (let attempt = 1; attempt <= COMMIT_ATTEMPTS_MAX; attempt++) {
      const written = await index.putPart(current, part, previous);
      if (written.kind === "done") {
        if (previous !== null) await bytes.delete(previous.value.storeKey);
        return;
      }
      if (written.kind === "upload_changed") current = await find();
      previous = await index.getPart(id, part.partNumber);
    }
    throw new GatewayError(
      { kind: "conflict" },
      `Part ${part.partNumber} is being written by other requests; try again.`,
    );
  }
}

/** By which the client lets the part be verified. */
function givenAlgorithms(
  { body, checksums }: Pick<PartDraft, "body" | "checksums">,
): string[] {
  const { trailer } = body;
  const names = Object.keys(checksums);
  return trailer === undefined ? names : [...names, algorithmOf(trailer)];
}

/** The checksum that came behind the body, which has closed. */
function trailerChecksum(
  { trailer }: PartDraft["body"],
): Record<string, string> {
  if (trailer === undefined) return {};
  return { [algorithmOf(trailer)]: trailer.value() };
}

function algorithmOf({ name }: { readonly name: string }): string {
  return name.toLowerCase().replace("x-amz-checksum-", "");
}

function checkPartNumber(partNumber: number): void {
  if (partNumber >= 1 && partNumber <= PART_NUMBER_MAX) return;
  throw new GatewayError(
    {
      kind: "invalid_argument",
      argument: "partNumber",
      value: String(partNumber),
    },
    `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
  );
}

/** A part proves itself by the upload's algorithm, or by none. */
function checkAlgorithm(upload: Upload, draft: PartDraft): void {
  const expected = upload.checksum?.algorithm;
  if (expected === undefined) return;
  const other = givenAlgorithms(draft).find((name) => name !== expected);
  if (other === undefined) return;
  throw new GatewayError(
    { kind: "invalid_request" },
    `Checksum Type mismatch occurred, expected checksum Type: ${expected}, ` +
      `actual checksum Type: ${other}`,
  );
}
