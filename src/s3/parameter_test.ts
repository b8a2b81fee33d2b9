import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { encodeKey, readEntriesMax, readKeyEncoding } from "./parameter.ts";

for (
  const { text, want } of [
    { text: undefined, want: 1000 },
    { text: "0", want: 0 },
    { text: "7", want: 7 },
    { text: "1000", want: 1000 },
    { text: "1001", want: 1000 },
    { text: "2147483647", want: 1000 },
  ]
) {
  Deno.test(`readEntriesMax() gives ${want} for ${text}`, () => {
    const given = new Map(text === undefined ? [] : [["max-keys", text]]);
    assertEquals(readEntriesMax(given, "max-keys", 1000), want);
  });
}

for (const text of ["", "-1", "+1", "1.5", "1e3", "ten", " 1", "2147483648"]) {
  Deno.test(`readEntriesMax() refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(
      () => readEntriesMax(new Map([["max-keys", text]]), "max-keys", 1000),
      GatewayError,
    );
    assertEquals(error.failure.kind, "invalid_argument");
  });
}

Deno.test("readKeyEncoding() knows url and refuses the rest", () => {
  assertEquals(readKeyEncoding(new Map()), "none");
  assertEquals(readKeyEncoding(new Map([["encoding-type", "url"]])), "url");
  assertThrows(
    () => readKeyEncoding(new Map([["encoding-type", "base64"]])),
    GatewayError,
  );
});

for (
  const { key, want } of [
    { key: "a/b-c_d.e~f", want: "a/b-c_d.e~f" },
    { key: "a b", want: "a%20b" },
    { key: "a+b", want: "a%2Bb" },
    { key: "100%", want: "100%25" },
    { key: "ü漢", want: "%C3%BC%E6%BC%A2" },
    { key: "(it's)!*", want: "%28it%27s%29%21%2A" },
    { key: "\u0001\r", want: "%01%0D" },
  ]
) {
  Deno.test(`encodeKey() writes ${JSON.stringify(key)} as ${want}`, () => {
    assertEquals(encodeKey(key, "url"), want);
    assertEquals(encodeKey(key, "none"), key);
  });
}
