const READ_BYTES = 256 * 1024;

/** The bytes from `offset` up to, but not including, `end`. */
export interface ByteSpan {
  readonly offset: number;
  readonly end: number;
}

/**
 * Writes a new file; whatever goes wrong on the way, nothing stays of it.
 *
 * @param fill Writes the content; its result is handed back.
 */
export async function writeBodyFile<Result>(
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<Result>,
): Promise<Result> {
  let isWhole = false;
  const file = await Deno.open(path, { write: true, createNew: true });
  try {
    const result = await fill((bytes) => writeAll(file, bytes));
    isWhole = true;
    return result;
  } finally {
    file.close();
    if (!isWhole) await Deno.remove(path);
  }
}

/**
 * Opens a file at once, in the same turn as the caller looked it up, so that
 * an overwrite cannot remove it in between; then reads it as it is pulled.
 * `span` must not be empty.
 */
export function readBodyFile(
  path: string,
  span: ByteSpan,
): ReadableStream<Uint8Array> {
  const file = Deno.openSync(path);
  let missing = span.end - span.offset;
  file.seekSync(span.offset, Deno.SeekMode.Start);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const buffer = new Uint8Array(Math.min(READ_BYTES, missing));
      const count = await file.read(buffer);
      if (count === null || count === 0) {
        file.close();
        throw new Error(`The stored body ${path} is too short.`);
      }
      missing -= count;
      controller.enqueue(buffer.subarray(0, count));
      if (missing > 0) return;
      file.close();
      controller.close();
    },
    cancel() {
      file.close();
    },
  }, { highWaterMark: 0 });
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += await file.write(bytes.subarray(written));
  }
}
