import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", MAIN, ...args],
    stdout: "piped",
    stderr: "piped",
  });
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const reader = stream.getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text.split("\n")[0] ?? "";
}

for (
  const { args, path } of [
    { args: ["s3"], path: "/your-s3-bucket" },
    {
      args: ["bedrock", "--s3-endpoint", "http://127.0.0.1:1"],
      path: "/model-invocation-jobs",
    },
  ]
) {
  Deno.test(`main.ts ${args[0]} serves until SIGTERM`, async () => {
    await using process = command(args).spawn();
    const { event, url } = JSON.parse(await firstLine(process.stdout));
    assertEquals(event, "listening");
    const response = await fetch(`${url}${path}`, {
      headers: { authorization: "any" },
    });
    await response.body?.cancel();
    assertEquals(response.status, 200);
    process.kill("SIGTERM");
    assertEquals((await process.status).code, 0);
    await process.stderr.cancel();
  });
}

for (
  const { args, message } of [
    { args: [], message: "usage: " },
    { args: ["s4"], message: "usage: " },
    { args: ["s3", "--bogus"], message: "Unknown option --bogus" },
    { args: ["s3", "--port", "65536"], message: "--port needs" },
    { args: ["s3", "--pace-ms", "1.5"], message: "--pace-ms needs" },
    { args: ["s3", "--ignore-tokens"], message: "for bedrock alone" },
    { args: ["bedrock"], message: "--s3-endpoint needs" },
  ]
) {
  Deno.test(`main.ts refuses "${args.join(" ")}" in one line`, async () => {
    const { code, stdout, stderr } = await command(args).output();
    const text = new TextDecoder().decode(stderr);
    assertEquals([code, stdout.length], [2, 0]);
    assertStringIncludes(text, message);
    assertEquals(text.trimEnd().split("\n").length, 1);
  });
}
