import type { ProviderDriver } from "../../domain/driver.ts";
import { GeminiBatches } from "./batches.ts";
import { GeminiClient, type GeminiConfig } from "./client.ts";
import { GeminiFiles } from "./files.ts";
import { GeminiModels } from "./models.ts";

/** One Gemini project, or any other server of the Gemini Developer API. */
export function createGeminiDriver(config: GeminiConfig): ProviderDriver {
  const client = new GeminiClient(config);
  const storage = new GeminiFiles(client);
  const models = new GeminiModels(client);
  return {
    provider: "gemini",
    storage,
    batches: new GeminiBatches(client, storage),
    models,
    probe: (call) => models.probe(call),
    close: () => client.close(),
  };
}
