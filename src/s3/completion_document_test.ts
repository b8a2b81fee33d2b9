import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { parseCompletionDocument } from "./completion_document.ts";

function parse(inner: string, root = "CompleteMultipartUpload") {
  const xml = `<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `${inner}</${root}>`;
  return parseCompletionDocument(new TextEncoder().encode(xml));
}

const PART = "<Part><ETag>&quot;abc&quot;</ETag><PartNumber>1</PartNumber>";

Deno.test("parseCompletionDocument() reads parts in the order given", () => {
  const parts = parse(
    "<Part><PartNumber>2</PartNumber><ETag>b</ETag></Part>" +
      `${PART}<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>`,
  );
  assertEquals(parts, [
    { partNumber: 2, etag: "b", checksums: {} },
    { partNumber: 1, etag: "abc", checksums: { crc32: "AAAAAA==" } },
  ]);
});

Deno.test("parseCompletionDocument() leaves unknown checksums out", () => {
  const [part] = parse(`${PART}<ChecksumXXHASH64>x</ChecksumXXHASH64></Part>`);
  assertEquals(part?.checksums, {});
});

Deno.test("parseCompletionDocument() takes 10,000 parts", () => {
  const count = 10_000;
  assertEquals(parse(`${PART}</Part>`.repeat(count)).length, count);
});

for (
  const { name, inner, root } of [
    { name: "no part", inner: "" },
    { name: "another document", inner: `${PART}</Part>`, root: "Delete" },
    { name: "too many parts", inner: `${PART}</Part>`.repeat(10_001) },
    { name: "a part without a number", inner: "<Part><ETag>a</ETag></Part>" },
    {
      name: "a part without an ETag",
      inner: "<Part><PartNumber>1</PartNumber></Part>",
    },
    {
      name: "a number that is none",
      inner: "<Part><ETag>a</ETag><PartNumber>1.5</PartNumber></Part>",
    },
    {
      name: "the part 0",
      inner: "<Part><ETag>a</ETag><PartNumber>0</PartNumber></Part>",
    },
    {
      name: "an endless ETag",
      inner: `<Part><ETag>${"a".repeat(300)}</ETag><PartNumber>1</PartNumber>` +
        "</Part>",
    },
  ]
) {
  Deno.test(`parseCompletionDocument() refuses ${name}`, () => {
    const error = assertThrows(() => parse(inner, root), GatewayError);
    assertEquals(error.failure.kind, "malformed_xml");
  });
}
