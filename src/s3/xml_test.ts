import { assert, assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import {
  branch,
  childText,
  leaf,
  parseDocument,
  renderDocument,
  renderErrorDocument,
} from "./xml.ts";

function parse(text: string) {
  return parseDocument(new TextEncoder().encode(text));
}

Deno.test("renderDocument() writes S3's prolog and namespace", () => {
  const root = branch("A", [leaf("B", 1), null, leaf("C", "")]);
  assertEquals(
    renderDocument(root),
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      '<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><B>1</B><C/></A>',
  );
  assert(!renderErrorDocument(root).includes("xmlns"));
});

for (
  const text of [
    "plain",
    `<>&"'`,
    "]]>",
    "a&amp;b",
    " leading and trailing ",
    "\r\n\t",
    "\u0001\u001f",
    "ü 漢 \u{1f600}",
    "",
  ]
) {
  Deno.test(`parseDocument() reads back ${JSON.stringify(text)}`, () => {
    const root = branch("Root", [leaf("Key", text)]);
    assertEquals(childText(parse(renderDocument(root)), "Key"), text);
  });
}

for (
  const { name, text, want } of [
    {
      name: "CDATA as it stands",
      text: "<a><k><![CDATA[<&amp;>]]></k></a>",
      want: "<&amp;>",
    },
    {
      name: "character references",
      text: "<a><k>&#x41;&#66;&#x1F600;</k></a>",
      want: "AB\u{1f600}",
    },
    {
      name: "namespace prefixes",
      text: "<s:a xmlns:s='u'><s:k>v</s:k></s:a>",
      want: "v",
    },
    {
      name: "comments and instructions",
      text: "<?xml version='1.0'?><a><!-- & --><k>v<?pi ?>w</k></a>",
      want: "vw",
    },
    {
      name: "attributes it has no use for",
      text: "<a x='1'><k y='2'>v</k></a>",
      want: "v",
    },
    { name: "a byte order mark", text: "\ufeff<a><k>v</k></a>", want: "v" },
    { name: "numbers as text", text: "<a><k>007.10</k></a>", want: "007.10" },
  ]
) {
  Deno.test(`parseDocument() takes ${name}`, () => {
    assertEquals(childText(parse(text), "k"), want);
  });
}

const BOMB = '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx">' +
  '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a><k>&c;</k></a>';

for (
  const { name, text } of [
    { name: "nothing", text: "" },
    { name: "text", text: "hello" },
    { name: "JSON", text: '{"a":1}' },
    { name: "an element left open", text: "<a><k>" },
    { name: "elements that cross", text: "<a><b></a></b>" },
    { name: "two roots", text: "<a/><b/>" },
    { name: "an entity bomb", text: BOMB },
    {
      name: "an external entity",
      text: '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    },
    { name: "a doctype in lower case", text: "<!doctype a><a><k>v</k></a>" },
    { name: "an entity nobody declared", text: "<a><k>&b;</k></a>" },
    { name: "an entity named like a method", text: "<a><k>&toString;</k></a>" },
    { name: "a bare ampersand", text: "<a><k>a & b</k></a>" },
    { name: "a reference past Unicode", text: "<a><k>&#x110000;</k></a>" },
    { name: "a reference to half a character", text: "<a><k>&#xD800;</k></a>" },
    { name: "deep nesting", text: "<a>".repeat(5000) + "</a>".repeat(5000) },
    {
      name: "an element named like a prototype",
      text: "<a><__proto__>x</__proto__></a>",
    },
  ]
) {
  Deno.test(`parseDocument() refuses ${name}`, () => {
    const error = assertThrows(() => parse(text), GatewayError);
    assertEquals(error.failure.kind, "malformed_xml");
  });
}

Deno.test("parseDocument() refuses bytes that are no UTF-8", () => {
  const bytes = new Uint8Array([
    0x3c,
    0x61,
    0x3e,
    0xff,
    0x3c,
    0x2f,
    0x61,
    0x3e,
  ]);
  const error = assertThrows(() => parseDocument(bytes), GatewayError);
  assertEquals(error.failure.kind, "malformed_xml");
});
