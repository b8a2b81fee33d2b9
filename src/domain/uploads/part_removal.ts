import type { PartBytes } from "./part_bytes.ts";
import type { UploadPart } from "./upload.ts";
import type { UploadIndex } from "./upload_index.ts";

/** Parts that are forgotten, and whose bytes are deleted, at a time. */
const BATCH_SIZE = 64;

/** Removes the parts of uploads that have ended. */
export class PartRemoval {
  readonly #index: UploadIndex;
  readonly #bytes: PartBytes;

  constructor(index: UploadIndex, bytes: PartBytes) {
    this.#index = index;
    this.#bytes = bytes;
  }

  /**
   * Entries first: a process killed in between leaves bytes without an entry,
   * which are swept, rather than an entry without bytes.
   */
  async removeAll(uploadId: string): Promise<void> {
    for (;;) {
      const batch: UploadPart[] = [];
      for await (const part of this.#index.listParts(uploadId, 0)) {
        batch.push(part);
        if (batch.length === BATCH_SIZE) break;
      }
      if (batch.length === 0) break;
      const numbers = batch.map(({ partNumber }) => partNumber);
      await this.#index.removeParts(uploadId, numbers);
      await Promise.all(
        batch.map(({ storeKey }) => this.#bytes.delete(storeKey)),
      );
    }
  }
}
