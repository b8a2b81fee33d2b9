import { clearTimeout, setTimeout } from "node:timers";
/** How often a file that is being written shows that its writer lives. */
const HEARTBEAT_MS = 5_000;
/** A file without a sign of life for that long has lost its writer. */
const ABANDONED_MS = 20_000;

/**
 * A file that is being written, under a name of its own. Disposing of it
 * closes it, and removes it where it has not been moved away.
 */
export interface TemporaryFile extends AsyncDisposable {
  readonly path: string;
  readonly file: Deno.FsFile;
}

/**
 * Files on their way into the store. Their names carry a random id of this
 * process and a number, so that no two writers ever share one; a name is
 * given up when the file is moved to where it belongs. What a killed process
 * leaves behind is removed once it has shown no sign of life for 20 seconds.
 */
export class TemporaryFiles {
  readonly #directory: string;
  readonly #owner = crypto.randomUUID();
  readonly #writing = new Set<string>();
  #count = 0;
  #sweptAtMs = 0;
  #nextSweep: ReturnType<typeof setTimeout> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the folder, and clears what earlier processes left in it. */
  async prepare(): Promise<void> {
    await Deno.mkdir(this.#directory, { recursive: true });
    await this.#sweep();
  }

  async create(): Promise<TemporaryFile> {
    if (Date.now() - this.#sweptAtMs > ABANDONED_MS) await this.#sweep();
    const name = `${this.#owner}-${++this.#count}`;
    const path = `${this.#directory}/${name}`;
    const file = await Deno.open(path, { write: true, createNew: true });
    this.#writing.add(name);
    // A slow client must not make a living file look like an abandoned one.
    const heartbeat = setInterval(() => {
      file.utime(new Date(), new Date()).catch(() => {});
    }, HEARTBEAT_MS);
    const dispose = async (): Promise<void> => {
      clearInterval(heartbeat);
      file.close();
      this.#writing.delete(name);
      // What cannot be removed now is abandoned, and swept.
      await removeIfThere(path).catch(() => {});
    };
    return { path, file, [Symbol.asyncDispose]: dispose };
  }

  close(): void {
    clearTimeout(this.#nextSweep);
  }

  /** Leaves alone what may still be written; that is looked at again later. */
  async #sweep(): Promise<void> {
    this.#sweptAtMs = Date.now();
    let undecided = false;
    for await (const { name } of Deno.readDir(this.#directory)) {
      if (this.#writing.has(name)) continue;
      const path = `${this.#directory}/${name}`;
      const modifiedAtMs = await readModifiedAt(path);
      if (modifiedAtMs === null) continue;
      if (Date.now() - modifiedAtMs > ABANDONED_MS) await removeIfThere(path);
      else undecided = true;
    }
    clearTimeout(this.#nextSweep);
    if (!undecided) return;
    this.#nextSweep = setTimeout(() => {
      // The next file to be created says what is wrong with the folder.
      this.#sweep().catch(() => {});
    }, ABANDONED_MS);
    this.#nextSweep.unref();
  }
}

async function readModifiedAt(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
