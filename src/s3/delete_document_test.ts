import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import {
  parseDeleteDocument,
  renderDeleteDocument,
  requireIntegrityHeader,
} from "./delete_document.ts";

function parse(xml: string) {
  return parseDeleteDocument(new TextEncoder().encode(xml));
}

const FULL = '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
  "<Object><Key> a&amp;b </Key><VersionId>v</VersionId>" +
  "<ETag>&quot;e&quot;</ETag><Size>1</Size></Object>" +
  "<Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>";

Deno.test("parseDeleteDocument() reads every member", () => {
  const none = {
    versionId: null,
    etag: null,
    lastModifiedTime: null,
    size: null,
  };
  assertEquals(parse(FULL), {
    quiet: true,
    deletions: [
      { ...none, key: " a&b ", versionId: "v", etag: "e", size: "1" },
      { ...none, key: "c" },
    ],
  });
});

Deno.test("renderDeleteDocument() writes what was read", () => {
  const document = parse(FULL);
  assertEquals(parse(renderDeleteDocument(document)), document);
});

const object = "<Object><Key>k</Key></Object>";

for (
  const { name, xml } of [
    { name: "another document", xml: `<Remove>${object}</Remove>` },
    { name: "no object", xml: "<Delete><Quiet>true</Quiet></Delete>" },
    { name: "1,001 objects", xml: `<Delete>${object.repeat(1001)}</Delete>` },
    { name: "an object without a key", xml: "<Delete><Object/></Delete>" },
    { name: "an empty key", xml: "<Delete><Object><Key/></Object></Delete>" },
  ]
) {
  Deno.test(`parseDeleteDocument() refuses ${name}`, () => {
    const error = assertThrows(() => parse(xml), GatewayError);
    assertEquals(error.failure.kind, "malformed_xml");
  });
}

Deno.test("parseDeleteDocument() takes 1,000 objects", () => {
  const { deletions } = parse(`<Delete>${object.repeat(1000)}</Delete>`);
  assertEquals(deletions.length, 1000);
});

for (
  const { name, want } of [
    { name: "content-md5", want: true },
    { name: "x-amz-checksum-crc32", want: true },
    { name: "x-amz-checksum-sha256", want: true },
    { name: "x-amz-trailer", want: true },
    { name: "x-amz-checksum-algorithm", want: false },
    { name: "x-amz-checksum-type", want: false },
    { name: "content-type", want: false },
  ]
) {
  Deno.test(`requireIntegrityHeader() ${want ? "takes" : "refuses"} ${name}`, () => {
    const check = () => requireIntegrityHeader(new Headers({ [name]: "v" }));
    if (want) check();
    else assertThrows(check, GatewayError, "Content-MD5");
  });
}
