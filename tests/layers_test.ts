import { assertEquals } from "@std/assert";

/**
 * Who may import whom. Data flows request -> router -> front end -> domain ->
 * driver; only the composition root and the commands see everything.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "auth": ["domain", "http"],
  "http": ["domain", "telemetry"],
  "s3": ["auth", "domain", "http", "telemetry"],
  "bedrock": ["auth", "domain", "http", "telemetry"],
  "domain": ["records", "telemetry"],
  "records": ["domain"],
  "object_store": ["aws", "domain", "upstream"],
  "kv": ["domain"],
  "drivers": ["aws", "domain", "records", "upstream"],
  "aws": ["domain", "upstream"],
  "upstream": ["domain"],
  "telemetry": [],
  "sandbox": [],
};

/** Types and failures that every layer speaks in. */
const SHARED = ["src/domain/bytes.ts"];

/** Imports that cross a boundary on purpose, each with its reason. */
const EXCEPTIONS: readonly string[] = [
  // KvConfig is the configuration's own type.
  "src/kv/open.ts -> src/config.ts",
];

interface Import {
  readonly from: string;
  readonly to: string;
}

async function* sourceFiles(folder: string): AsyncIterable<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourceFiles(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

async function localImports(): Promise<Import[]> {
  const imports: Import[] = [];
  const root = new URL("../", import.meta.url);
  for await (const file of sourceFiles(new URL("src", root).pathname)) {
    const from = file.slice(root.pathname.length);
    const isTest = from.endsWith("_test.ts") || from.endsWith("_fixture.ts");
    if (isTest) continue;
    const text = await Deno.readTextFile(file);
    const specifiers = text.matchAll(
      /(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g,
    );
    for (const [, specifier = ""] of specifiers) {
      const to = new URL(specifier, new URL(from, root));
      imports.push({ from, to: to.pathname.slice(root.pathname.length) });
    }
  }
  return imports;
}

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function allowed({ from, to }: Import): boolean {
  const [source, target] = [folderOf(from), folderOf(to)];
  const rule = MAY_IMPORT[source];
  // src/app.ts, src/config.ts and the commands put everything together.
  if (rule === undefined || source === target) return true;
  return rule.includes(target) || SHARED.includes(to) ||
    EXCEPTIONS.includes(`${from} -> ${to}`);
}

Deno.test("folders import only what lies below them", async () => {
  const broken = (await localImports()).filter((entry) => !allowed(entry))
    .map(({ from, to }) => `${from} -> ${to}`);
  assertEquals(broken, []);
});

Deno.test("a driver never imports its sibling", async () => {
  const broken = (await localImports()).filter(({ from, to }) => {
    const [, , own, ...rest] = from.split("/");
    const [, , other, ...below] = to.split("/");
    return from.startsWith("src/drivers/") && to.startsWith("src/drivers/") &&
      rest.length > 0 && below.length > 0 && own !== other;
  });
  assertEquals(broken, []);
});

Deno.test("every import is seen: the rule has something to judge", async () => {
  const imports = await localImports();
  const wanted = [
    "src/app.ts -> src/s3/handler.ts",
    "src/drivers/registry.ts -> src/drivers/openai/driver.ts",
  ];
  const seen = imports.map(({ from, to }) => `${from} -> ${to}`);
  assertEquals(wanted.filter((edge) => !seen.includes(edge)), []);
});
