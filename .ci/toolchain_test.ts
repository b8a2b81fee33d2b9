import { assertEquals, assertThrows } from "@std/assert";
import { SetupError } from "../tests/support/venv.ts";
import { cutRuntime } from "./toolchain.ts";

/** An ELF header with two 64-byte section headers at 128. */
function elf(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  const littleEndian = bytes[5] === 1;
  view.setBigUint64(0x28, 128n, littleEndian);
  view.setUint16(0x3a, 64, littleEndian);
  view.setUint16(0x3c, 2, littleEndian);
  return bytes;
}

Deno.test("cutRuntime() ends with the section header table", () => {
  assertEquals(cutRuntime(elf(1000)).length, 128 + 2 * 64);
});

const REFUSED = [
  { name: "text", bytes: new TextEncoder().encode("x".repeat(200)) },
  { name: "an empty file", bytes: new Uint8Array() },
  { name: "a table beyond the end", bytes: elf(200) },
];

for (const { name, bytes } of REFUSED) {
  Deno.test(`cutRuntime() refuses ${name}`, () => {
    assertThrows(() => cutRuntime(bytes), SetupError);
  });
}
