import type { ByteRange, ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";
import { toStoreFailure } from "./store_failure.ts";

const READ_BYTES = 64 * 1024;

/**
 * Opens a file, or a part of it. The stream closes the file when it ends,
 * errors or is cancelled.
 *
 * @throws {GatewayError} `invalid_range` for a part that does not lie within.
 */
export async function openFileStream(
  path: string,
  range?: ByteRange,
): Promise<ByteStream> {
  const file = await Deno.open(path, { read: true });
  try {
    const { size: sizeBytes } = await file.stat();
    const { offsetBytes, lengthBytes } = range ??
      { offsetBytes: 0, lengthBytes: sizeBytes };
    if (
      offsetBytes < 0 || lengthBytes < 0 ||
      offsetBytes + lengthBytes > sizeBytes
    ) {
      throw new GatewayError(
        { kind: "invalid_range", sizeBytes },
        "The range does not lie within the object.",
      );
    }
    await file.seek(offsetBytes, Deno.SeekMode.Start);
    return streamFile(file, lengthBytes);
  } catch (error) {
    file.close();
    throw error;
  }
}

function streamFile(file: Deno.FsFile, lengthBytes: number): ByteStream {
  let leftBytes = lengthBytes;
  let open = true;
  // A cancelled stream may have a read under way, which then ends as well.
  const close = (): void => {
    if (open) file.close();
    open = false;
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (leftBytes > 0) return;
      close();
      controller.close();
    },
    async pull(controller) {
      try {
        const buffer = new Uint8Array(Math.min(READ_BYTES, leftBytes));
        const sizeBytes = await file.read(buffer);
        if (sizeBytes === null) throw new Error("the file became shorter");
        leftBytes -= sizeBytes;
        controller.enqueue(buffer.subarray(0, sizeBytes));
        if (leftBytes > 0) return;
        close();
        controller.close();
      } catch (error) {
        close();
        controller.error(toStoreFailure(error));
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
