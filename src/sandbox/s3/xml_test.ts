import { assertEquals } from "@std/assert";
import { childText, element, parseXml, xmlDocument } from "./xml.ts";

for (
  const { name, text } of [
    { name: "an unclosed element", text: "<Delete><Object></Delete>" },
    { name: "two roots", text: "<a/><b/>" },
    { name: "text outside", text: "<a/>more" },
    { name: "a document type", text: '<!DOCTYPE a [<!ENTITY x "y">]><a/>' },
    { name: "an unknown entity", text: "<a>&x;</a>" },
    { name: "a bare ampersand", text: "<a>b & c</a>" },
    { name: "an empty text", text: "" },
    { name: "no markup", text: "hello" },
    { name: "deep nesting", text: "<a>".repeat(50) + "</a>".repeat(50) },
  ]
) {
  Deno.test(`parseXml() refuses ${name}`, () => {
    assertEquals(parseXml(text), null);
  });
}

Deno.test("parseXml() reads what element() wrote, whatever the key", () => {
  const key = ' a&b <c> "d" \u0001\r\n ü😀 ]]> ';
  const text = xmlDocument("Delete", [element("Key", key)]);
  const root = parseXml(text);
  assertEquals(root?.name, "Delete");
  assertEquals(root && childText(root, "Key"), key);
});

Deno.test("parseXml() reads namespaces, comments and empty elements", () => {
  const root = parseXml(
    '<?xml version="1.0"?>\n<!-- x --><s:a xmlns:s="urn:x" b="c"><s:d/>&#x41;&#66;</s:a>\n',
  );
  assertEquals(root, {
    name: "a",
    text: "AB",
    children: [{ name: "d", text: "", children: [] }],
  });
});
