import { assertEquals, assertFalse, assertMatch } from "@std/assert";
import { createLog } from "../telemetry/log.ts";
import { below, createRouter, type FrontEnd } from "./router.ts";
import { parseRequestTarget } from "./target.ts";

function open(handle: FrontEnd): {
  fetch(path: string, headers?: HeadersInit): Promise<Response>;
  lines: Record<string, unknown>[];
} {
  const lines: Record<string, unknown>[] = [];
  const router = createRouter({
    routes: [{ name: "s3", matches: below("/bedrock/files"), handle }],
    fallback: () => new Response(null, { status: 404 }),
    log: createLog("info", (line) => lines.push(JSON.parse(line))),
  });
  return {
    lines,
    fetch: (path, headers = {}) =>
      router(new Request(`http://h${path}`, { headers })),
  };
}

const ok: FrontEnd = (_request, { requestId, note }) => {
  note({ operation: "ListBuckets" });
  return new Response(requestId);
};

Deno.test("the router gives a path to the front end that owns it", async () => {
  const { fetch } = open(ok);
  const cases: Record<string, number> = {
    "/bedrock/files": 200,
    "/bedrock/files/": 200,
    "/bedrock/files/b/../k": 200,
    "/bedrock/filesystem": 404,
    "/": 404,
  };
  for (const [path, status] of Object.entries(cases)) {
    assertEquals((await fetch(path)).status, status, path);
  }
});

Deno.test("every request has its own id and one access-log line", async () => {
  const { fetch, lines } = open(ok);
  const ids = [
    await (await fetch("/bedrock/files")).text(),
    await (await fetch("/bedrock/files")).text(),
  ];
  assertEquals(lines.map(({ requestId }) => requestId), ids);
  assertEquals(new Set(ids).size, 2);
  assertEquals(lines[0]?.operation, "ListBuckets");
  assertEquals(lines[0]?.status, 200);
});

Deno.test("a request without a host header gets the URL's, as in HTTP/2", async () => {
  const { fetch } = open((request) =>
    new Response(request.headers.get("host"))
  );
  assertEquals(await (await fetch("/bedrock/files")).text(), "h");
});

Deno.test("a front end that throws ends in a plain 500, logged", async () => {
  const { fetch, lines } = open(() => {
    throw new Error("secret detail");
  });
  const response = await fetch("/bedrock/files");
  assertEquals(response.status, 500);
  assertFalse((await response.text()).includes("secret"));
  assertMatch(String(lines[0]?.error), /secret detail/);
});

Deno.test("answers to clients that accept gzip forbid compression", async () => {
  const { fetch } = open(() =>
    new Response("x", { headers: { "cache-control": "max-age=5" } })
  );
  const gzip = { "accept-encoding": "gzip, deflate" };
  assertEquals(
    (await fetch("/bedrock/files", gzip)).headers.get("cache-control"),
    "max-age=5, no-transform",
  );
  assertEquals(
    (await fetch("/bedrock/files")).headers.get("cache-control"),
    "max-age=5",
  );
});

Deno.test("a whole answer keeps its exact length on the wire", async () => {
  const { fetch: handle } = open(() => Response.json({ message: "x" }));
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => handle(new URL(request.url).pathname, request.headers),
  );
  const url = `http://127.0.0.1:${server.addr.port}/bedrock/files`;
  const gzip = { "accept-encoding": "gzip" };
  const response = await fetch(url, { headers: gzip });
  assertEquals(response.headers.get("content-length"), "15");
  await response.body?.cancel();
});

for (
  const { name, url, rawPath, query } of [
    {
      name: "dots and double slashes",
      url: "http://h:8080/b/../x//y/./z",
      rawPath: "/b/../x//y/./z",
      query: [],
    },
    {
      name: "encoded slashes and question marks",
      url: "http://h/b/a%2Fb%3F?prefix=a%20b%2F&delete",
      rawPath: "/b/a%2Fb%3F",
      query: [["prefix", "a b/"], ["delete", ""]],
    },
    {
      name: "a query that is not validly encoded",
      url: "http://h/b?x=%E0%A4%A",
      rawPath: "/b",
      query: [["x", "%E0%A4%A"]],
    },
    { name: "no path", url: "http://h", rawPath: "/", query: [] },
  ]
) {
  Deno.test(`parseRequestTarget() keeps ${name} as they are`, () => {
    const target = parseRequestTarget(url);
    assertEquals(target.rawPath, rawPath);
    assertEquals(target.query.map((pair) => [...pair]), query);
  });
}
