import type { StoredObject } from "../domain/object_store.ts";

/**
 * Ends the names of folders, so that the object `a` and the objects under
 * `a/` can exist side by side. No key holds this character.
 */
const FOLDER_MARK = "=";

/** A folder may be removed as empty while another object moves into it. */
const ADOPT_ATTEMPTS_MAX = 5;

/** Objects as files, in folders named for the segments of their keys. */
export class ObjectFolders {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async prepare(): Promise<void> {
    await Deno.mkdir(this.#root, { recursive: true });
  }

  /** Moves a finished file to where `key` has it, over what was there. */
  async adopt(path: string, key: string): Promise<void> {
    const folder = this.#folderOf(key);
    for (let attempt = 1;; attempt++) {
      await this.#make(folder);
      try {
        await Deno.rename(path, this.pathOf(key));
        break;
      } catch (error) {
        const isGone = error instanceof Deno.errors.NotFound;
        if (!isGone || attempt >= ADOPT_ATTEMPTS_MAX) throw error;
      }
    }
    await syncFolder(folder);
  }

  /** Null where there is no such object. */
  async find(key: string): Promise<StoredObject | null> {
    try {
      return describe(key, await Deno.stat(this.pathOf(key)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  /** Removes an object, if it is there, and the folders that this empties. */
  async remove(key: string): Promise<void> {
    try {
      await Deno.remove(this.pathOf(key));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    const segments = key.split("/");
    for (let depth = segments.length - 1; depth > 0; depth--) {
      const removed = await removeEmpty(this.#folderAt(segments, depth));
      if (!removed) break;
    }
  }

  /** Every object whose key starts with `prefix`, in key order. */
  async *walk(prefix: string): AsyncGenerator<StoredObject, void, void> {
    const segments = prefix.split("/");
    const start = segments.pop() ?? "";
    const parent = segments.map((segment) => `${segment}/`).join("");
    const folder = this.#folderAt(segments, segments.length);
    yield* walkFolder(folder, parent, start);
  }

  pathOf(key: string): string {
    return `${this.#folderOf(key)}/${key.split("/").at(-1)}`;
  }

  /** Makes a folder so that it outlives a crash together with its parents. */
  async #make(path: string): Promise<void> {
    if (await unlessGone(Deno.stat(path)) !== null) return;
    if (path.length <= this.#root.length) return await this.prepare();
    const parent = path.slice(0, path.lastIndexOf("/"));
    await this.#make(parent);
    try {
      await Deno.mkdir(path);
    } catch (error) {
      // Another object may need the same folder, or have just emptied it.
      const isRace = error instanceof Deno.errors.AlreadyExists ||
        error instanceof Deno.errors.NotFound;
      if (!isRace) throw error;
    }
    await syncFolder(parent);
  }

  #folderOf(key: string): string {
    const segments = key.split("/");
    return this.#folderAt(segments, segments.length - 1);
  }

  #folderAt(segments: readonly string[], depth: number): string {
    return [
      this.#root,
      ...segments.slice(0, depth).map((segment) => segment + FOLDER_MARK),
    ].join("/");
  }
}

interface Entry {
  /** The key's part: with a `/` for folders, which is how S3 orders them. */
  readonly text: string;
  readonly name: string;
}

async function* walkFolder(
  folder: string,
  parent: string,
  start: string,
): AsyncGenerator<StoredObject, void, void> {
  for (const { text, name } of await readEntries(folder, start)) {
    const path = `${folder}/${name}`;
    if (text.endsWith("/")) {
      yield* walkFolder(path, parent + text, "");
      continue;
    }
    const stat = await unlessGone(Deno.stat(path));
    if (stat !== null) yield describe(parent + text, stat);
  }
}

async function readEntries(folder: string, start: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const text = name.endsWith(FOLDER_MARK)
        ? `${name.slice(0, -FOLDER_MARK.length)}/`
        : name;
      if (text.startsWith(start)) entries.push({ text, name });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return entries.sort((one, other) => one.text < other.text ? -1 : 1);
}

function describe(key: string, stat: Deno.FileInfo): StoredObject {
  return { key, sizeBytes: stat.size, modifiedAt: stat.mtime ?? new Date(0) };
}

/** Brings what was made or moved in a folder to the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await unlessGone(Deno.open(path, { read: true }));
  if (folder === null) return;
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

/** Whether there is no such folder any more. */
async function removeEmpty(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    // It is not empty, and different systems say so differently.
    return false;
  }
}

async function unlessGone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
