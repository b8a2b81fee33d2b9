import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import {
  checkSourceConditions,
  readMetadataDirective,
  readSourceName,
  readSourceRange,
} from "./copy_request.ts";

const SOURCE = {
  etag: "file-1",
  modifiedAt: new Date("2026-01-02T03:04:05Z"),
  sizeBytes: 10,
};
const BEFORE = "Thu, 01 Jan 2026 00:00:00 GMT";
const AFTER = "Sat, 03 Jan 2026 00:00:00 GMT";

function kindOf(run: () => unknown): string {
  return assertThrows(run, GatewayError).failure.kind;
}

Deno.test("readSourceName() decodes the key and reads the version", () => {
  const headers = new Headers({
    "x-amz-copy-source": "/bkt/a%20b/c%2Bd+e?versionId=null",
  });
  assertEquals(readSourceName(headers), {
    bucket: "bkt",
    key: "a b/c+d e",
    versionId: "null",
  });
});

for (
  const { name, header, value, holds } of [
    { name: "If-Match", header: "match", value: '"file-1"', holds: true },
    { name: "If-Match", header: "match", value: '"other"', holds: false },
    { name: "If-None-Match", header: "none-match", value: "x", holds: true },
    {
      name: "If-None-Match",
      header: "none-match",
      value: '"file-1"',
      holds: false,
    },
    {
      name: "If-Modified-Since",
      header: "modified-since",
      value: BEFORE,
      holds: true,
    },
    {
      name: "If-Modified-Since",
      header: "modified-since",
      value: AFTER,
      holds: false,
    },
    {
      name: "If-Unmodified-Since",
      header: "unmodified-since",
      value: AFTER,
      holds: true,
    },
    {
      name: "If-Unmodified-Since",
      header: "unmodified-since",
      value: BEFORE,
      holds: false,
    },
  ]
) {
  const verb = holds ? "passes" : "fails";
  Deno.test(`checkSourceConditions() ${verb} ${name}: ${value}`, () => {
    const headers = new Headers({
      [`x-amz-copy-source-if-${header}`]: value,
      // The destination's own conditions are another matter.
      "if-none-match": "*",
    });
    const check = () => checkSourceConditions(headers, SOURCE);
    if (holds) check();
    else assertEquals(kindOf(check), "precondition_failed");
  });
}

Deno.test("readMetadataDirective() is COPY unless it says REPLACE", () => {
  const name = "x-amz-metadata-directive";
  assertEquals(readMetadataDirective(new Headers()), "COPY");
  assertEquals(
    readMetadataDirective(new Headers({ [name]: "REPLACE" })),
    "REPLACE",
  );
  const wrong = new Headers({ [name]: "MERGE" });
  assertEquals(kindOf(() => readMetadataDirective(wrong)), "invalid_argument");
});

for (
  const { value, want } of [
    { value: "bytes=0-9", want: { offsetBytes: 0, lengthBytes: 10 } },
    { value: "bytes=3-3", want: { offsetBytes: 3, lengthBytes: 1 } },
    { value: "bytes=0-10", want: null },
    { value: "bytes=5-4", want: null },
    { value: "bytes=-5", want: null },
    { value: "bytes=5-", want: null },
    { value: "0-5", want: null },
  ]
) {
  Deno.test(`readSourceRange() judges ${value}`, () => {
    const headers = new Headers({ "x-amz-copy-source-range": value });
    const read = () => readSourceRange(headers, SOURCE);
    if (want === null) assertEquals(kindOf(read), "invalid_argument");
    else assertEquals(read(), want);
  });
}

Deno.test("readSourceRange() without a range means all of it", () => {
  assertEquals(readSourceRange(new Headers(), SOURCE), null);
});
