/**
 * Writes a percent-encoded key the one way that SigV4 knows: unreserved
 * characters bare, everything else encoded in upper case. Servers check a
 * signature over the path either as it came or as they would encode it; this
 * form is the same for both. Which bytes the key has does not change, nor do
 * `%2F`, `..`, `//` and a bare `+`, which servers read differently.
 */
export function canonicalRawKey(rawKey: string): string {
  return rawKey.replace(
    /%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~/+]/gu,
    (text, hex: string | undefined) =>
      hex === undefined ? encodeText(text) : encodeByte(parseInt(hex, 16)),
  );
}

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /^[A-Za-z0-9\-._~]$/.test(character) ? character : hexByte(byte);
}

function encodeText(text: string): string {
  return [...new TextEncoder().encode(text)].map(hexByte).join("");
}

function hexByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
