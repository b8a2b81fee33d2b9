import type { ProviderDriver } from "../../domain/driver.ts";
import { AnthropicClient, type AnthropicConfig } from "./client.ts";
import { AnthropicModels } from "./models.ts";
import { NO_BATCHES, NO_STORAGE } from "./refusals.ts";

/** Anthropic's model catalogue; for files and jobs, the way around. */
export function createAnthropicDriver(config: AnthropicConfig): ProviderDriver {
  const client = new AnthropicClient(config);
  const models = new AnthropicModels(client);
  return {
    provider: "anthropic",
    storage: NO_STORAGE,
    batches: NO_BATCHES,
    models,
    probe: (call) => models.probe(call),
    close: () => client.close(),
  };
}
