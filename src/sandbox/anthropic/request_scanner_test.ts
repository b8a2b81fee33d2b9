import { assertEquals, assertThrows } from "@std/assert";
import { AnthropicError } from "./error.ts";
import { RequestScanner } from "./request_scanner.ts";

function scan(text: string, pieceBytes: number): unknown[] {
  const scanner = new RequestScanner();
  const bytes = new TextEncoder().encode(text);
  const found: unknown[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    found.push(...scanner.push(bytes.subarray(at, at + pieceBytes)));
  }
  scanner.end();
  return found;
}

const ELEMENTS = [
  { custom_id: "a", params: { text: 'ü " \\ ] , } {', list: [1, [2], {}] } },
  { requests: [{ inner: true }] },
  { "": "" },
];

for (
  const { name, text, want } of [
    {
      name: "plain elements",
      text: JSON.stringify({ requests: ELEMENTS }),
      want: ELEMENTS,
    },
    {
      name: "elements set out over lines",
      text: JSON.stringify({ requests: ELEMENTS }, null, 2),
      want: ELEMENTS,
    },
    { name: "an empty list", text: ' { "requests" : [ ] } ', want: [] },
    {
      name: "members around the list",
      text: '{"workspace_id":"[{","requests":[{}],"user_profile_id":null}',
      want: [{}],
    },
  ]
) {
  for (const pieceBytes of [1, 7, 100_000]) {
    Deno.test(`RequestScanner finds ${name}, ${pieceBytes} bytes a piece`, () => {
      assertEquals(scan(text, pieceBytes), want);
    });
  }
}

for (
  const { name, text } of [
    { name: "nothing", text: "" },
    { name: "a list", text: "[]" },
    { name: "a document that ends early", text: '{"requests":[{}' },
    { name: "data behind the document", text: '{"requests":[]} x' },
    { name: "a broken element", text: '{"requests":[{"a":}]}' },
    { name: "a missing element", text: '{"requests":[,{}]}' },
    { name: "no requests", text: '{"workspace_id":"w"}' },
    { name: "an unknown member", text: '{"request":[]}' },
  ]
) {
  Deno.test(`RequestScanner refuses ${name}`, () => {
    assertThrows(() => scan(text, 5), AnthropicError);
  });
}
