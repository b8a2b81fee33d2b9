import type { ByteRange, ByteStream } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectStore, StoredObject } from "../domain/object_store.ts";
import { readBody } from "./body_reader.ts";
import { openFileStream } from "./file_stream.ts";
import { ObjectFolders } from "./object_folders.ts";
import { toStoreFailure } from "./store_failure.ts";
import { checkKey, checkPrefix } from "./store_key.ts";
import { TemporaryFiles } from "./temporary_files.ts";

/**
 * Opens an object store in a folder, which is made where it does not exist.
 *
 * An object is one file, written elsewhere in the folder and moved to its
 * place when all of it is on the disk. So it appears whole or not at all,
 * whenever the process or the machine dies.
 *
 * @throws {GatewayError} that says why the folder cannot be used.
 */
export async function openFileObjectStore(
  options: { readonly directory: string },
): Promise<ObjectStore> {
  const store = new FileObjectStore(options.directory);
  await store.prepare();
  return store;
}

class FileObjectStore implements ObjectStore {
  readonly kind = "file";
  readonly #directory: string;
  readonly #folders: ObjectFolders;
  readonly #temporary: TemporaryFiles;

  constructor(directory: string) {
    this.#directory = directory;
    this.#folders = new ObjectFolders(`${directory}/objects`);
    this.#temporary = new TemporaryFiles(`${directory}/unfinished`);
  }

  async prepare(): Promise<void> {
    try {
      await this.#folders.prepare();
      await this.#temporary.prepare();
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  async put(
    key: string,
    body: ByteStream,
    signal?: AbortSignal,
  ): Promise<StoredObject> {
    checkKey(key);
    try {
      await using temporary = await this.#temporary.create();
      for await (const chunk of readBody(body, signal)) {
        await writeAll(temporary.file, chunk);
      }
      await temporary.file.sync();
      const { size: sizeBytes, mtime } = await temporary.file.stat();
      await this.#folders.adopt(temporary.path, key);
      return { key, sizeBytes, modifiedAt: mtime ?? new Date() };
    } catch (error) {
      if (!body.locked) body.cancel().catch(() => {});
      throw toStoreFailure(error);
    }
  }

  async head(key: string): Promise<StoredObject | null> {
    checkKey(key);
    try {
      return await this.#folders.find(key);
    } catch (error) {
      throw toStoreFailure(error);
    }
  }

  async open(key: string, range?: ByteRange): Promise<ByteStream | null> {
    checkKey(key);
    try {
      return await openFileStream(this.#folders.pathOf(key), range);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw toStoreFailure(error);
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    try {
      await this.#folders.remove(key);
    } catch (error) {
      throw toStoreFailure(error);
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, void> {
    checkPrefix(prefix);
    try {
      yield* this.#folders.walk(prefix);
    } catch (error) {
      throw toStoreFailure(error);
    }
  }

  async probe(): Promise<void> {
    try {
      await using temporary = await this.#temporary.create();
      await writeAll(temporary.file, new TextEncoder().encode("probe"));
      await temporary.file.sync();
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  close(): Promise<void> {
    this.#temporary.close();
    return Promise.resolve();
  }

  #unusable(error: unknown): GatewayError {
    const { failure, message } = toStoreFailure(error);
    return new GatewayError(
      failure,
      `${message} The folder ${this.#directory} has to be writable by this ` +
        "process and have room; FINOPS_DATA_DIR names another one.",
      { cause: error },
    );
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) {
    offset += await file.write(bytes.subarray(offset));
  }
}
