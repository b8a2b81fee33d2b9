import { assertEquals, assertRejects } from "@std/assert";
import { startSandbox } from "./sandbox.ts";

Deno.test({
  name: "startSandbox() serves every provider and leaves nothing open",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const sandbox = await startSandbox({ paceMs: 1 });
    try {
      const { s3, bedrock, openai, gemini, anthropic, env } = sandbox;
      const ports = [s3, bedrock, openai, gemini, anthropic]
        .map(({ url }) => new URL(url).port);
      assertEquals(new Set(ports).size, 5);
      assertEquals(env.AWS_ENDPOINT_URL_S3, s3.url);
      assertEquals(env.OPENAI_BASE_URL, openai.url);
      for (
        const [url, headers] of [
          [`${env.AWS_ENDPOINT_URL_S3}/your-s3-bucket`, {}],
          [`${env.AWS_ENDPOINT_URL_BEDROCK}/model-invocation-jobs`, {}],
          [`${env.OPENAI_BASE_URL}/files`, {
            authorization: `Bearer ${env.OPENAI_API_KEY}`,
          }],
          [`${env.GOOGLE_GEMINI_BASE_URL}/v1beta/files`, {
            "x-goog-api-key": env.GEMINI_API_KEY ?? "",
          }],
          [`${env.ANTHROPIC_BASE_URL}/v1/messages/batches`, {
            "x-api-key": env.ANTHROPIC_API_KEY ?? "",
            "anthropic-version": "2023-06-01",
          }],
        ] as [string, Record<string, string>][]
      ) {
        const response = await fetch(url, {
          headers: { authorization: "AWS", ...headers },
        });
        await response.body?.cancel();
        assertEquals([url, response.status], [url, 200]);
      }
    } finally {
      await sandbox.close();
    }
  },
});

Deno.test({
  name: "startSandbox() keeps none where one cannot start",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    await assertRejects(
      () => startSandbox({ anthropicPort: port }),
      Deno.errors.AddrInUse,
    );
  },
});

Deno.test("startSandbox() keeps every provider's files apart", async () => {
  const dataDir = await Deno.makeTempDir();
  const sandbox = await startSandbox({ dataDir });
  await sandbox.close();
  const folders = [...Deno.readDirSync(dataDir)].map(({ name }) => name);
  assertEquals(folders.sort(), [
    "anthropic",
    "bedrock",
    "gemini",
    "openai",
    "s3",
  ]);
  await Deno.remove(dataDir, { recursive: true });
});
