import { assert, assertEquals } from "@std/assert";
import type { DriverCall, ProviderDriver } from "../../domain/driver.ts";
import { createAnthropicDriver } from "./driver.ts";
import { toFoundationModel } from "./models.ts";
import { tryParseModel } from "./wire.ts";

async function withServer(
  handler: (url: URL) => Response,
  use: (driver: ProviderDriver) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => handler(new URL(request.url)),
  );
  const driver = createAnthropicDriver({
    apiKey: "sk-ant-test",
    baseUrl: `http://127.0.0.1:${server.addr.port}`,
  });
  await use(driver);
  driver.close();
}

function newCall(): DriverCall {
  return { requestId: "r", signal: new AbortController().signal };
}

Deno.test("anthropic: files and batches are refused with the way out", () => {
  const { storage, batches } = createAnthropicDriver({
    apiKey: "sk-ant-test",
    baseUrl: null,
  });
  for (const part of [storage, batches]) {
    assert(part.kind === "none");
    const reason = part.kind === "none" ? part.reason : "";
    assert(/Anthropic SDK/.test(reason), reason);
    assert(/ANTHROPIC_STAGED_FILES=true/.test(reason), reason);
  }
});

Deno.test("anthropic: pages of models are followed to the end", async () => {
  await withServer((url) => {
    const after = Number(url.searchParams.get("after_id")?.slice(7) ?? 0);
    const ids = [after + 1, after + 2];
    return Response.json({
      data: ids.map((id) => ({ id: `claude-${id}`, type: "model" })),
      has_more: after < 2,
      first_id: `claude-${ids[0]}`,
      last_id: `claude-${ids[1]}`,
    });
  }, async ({ models }) => {
    const listed = await models.listModels(newCall());
    assertEquals(
      listed.map((model) => model.modelId),
      ["claude-1", "claude-2", "claude-3", "claude-4"],
    );
  });
});

Deno.test("anthropic: a server that ignores `after_id` is listed once", async () => {
  await withServer(
    () => Response.json({ data: [{ id: "claude-x" }, {}], has_more: true }),
    async ({ models }) => {
      const listed = await models.listModels(newCall());
      assertEquals(listed.map((model) => model.modelId), ["claude-x"]);
    },
  );
});

for (
  const { name, json, want } of [
    { name: "a model of today", json: { id: "claude-opus-4-5" }, want: true },
    { name: "a model of Claude 2", json: { id: "claude-2.1" }, want: false },
    {
      name: "a model that says no",
      json: {
        id: "claude-x",
        capabilities: { image_input: { supported: false } },
      },
      want: false,
    },
  ]
) {
  Deno.test(`anthropic: whether ${name} reads images is known`, () => {
    const wire = tryParseModel(json);
    assert(wire !== null);
    const model = toFoundationModel(wire ?? { id: "" });
    assertEquals(model.inputModalities.includes("IMAGE"), want);
  });
}
