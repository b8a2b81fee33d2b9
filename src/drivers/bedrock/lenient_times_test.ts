import { assertEquals } from "@std/assert";
import { withStrictTimes } from "./lenient_times.ts";

for (
  const { name, given, want } of [
    {
      name: "seconds since 1970",
      given: '{"submitTime":1767323045.5,"endTime":0}',
      want: '{"submitTime":"2026-01-02T03:04:05.500Z",' +
        '"endTime":"1970-01-01T00:00:00.000Z"}',
    },
    {
      name: "a time without an offset",
      given: '{"endTime":"2026-01-02T03:04:05.678900"}',
      want: '{"endTime":"2026-01-02T03:04:05.678900Z"}',
    },
    {
      name: "a time with a space",
      given: '{"lastModifiedTime":"2026-01-02 03:04:05"}',
      want: '{"lastModifiedTime":"2026-01-02T03:04:05Z"}',
    },
    {
      name: "every job of a list",
      given: '{"invocationJobSummaries":[{"submitTime":0,"x":[1]},{}]}',
      want:
        '{"invocationJobSummaries":[{"submitTime":"1970-01-01T00:00:00.000Z",' +
        '"x":[1]},{}]}',
    },
  ]
) {
  Deno.test(`withStrictTimes() rewrites ${name}`, () => {
    assertEquals(JSON.parse(withStrictTimes(given)), JSON.parse(want));
  });
}

for (
  const text of [
    '{"submitTime":"2026-01-02T03:04:05Z","endTime":null,"other":1}',
    '{"submitTime":"2026-01-02T03:04:05+01:00"}',
    '{"endTime":true}',
    "[]",
    "<html>",
    "",
  ]
) {
  Deno.test(`withStrictTimes() leaves ${text || "nothing"} alone`, () => {
    assertEquals(withStrictTimes(text), text);
  });
}
