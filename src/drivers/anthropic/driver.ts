import type { ProviderDriver } from "../../domain/driver.ts";
import { AnthropicClient, type AnthropicConfig } from "./client.ts";
import { AnthropicModels } from "./models.ts";

const NO_STORAGE =
  "Anthropic has no file storage for batches: create message " +
  "batches inline with the Anthropic SDK or, in a later release, set " +
  "ANTHROPIC_STAGED_FILES=true.";
const NO_BATCHES = "Anthropic takes a batch's records inline, not from a " +
  "file: create message batches with the Anthropic SDK or, in a later " +
  "release, set ANTHROPIC_STAGED_FILES=true.";

/** Anthropic's model catalogue; for files and jobs, the way around. */
export function createAnthropicDriver(config: AnthropicConfig): ProviderDriver {
  const models = new AnthropicModels(new AnthropicClient(config));
  return {
    provider: "anthropic",
    storage: { kind: "none", reason: NO_STORAGE },
    batches: { kind: "none", reason: NO_BATCHES },
    models,
    probe: (call) => models.probe(call),
    // The SDK keeps no connection of its own: those are the runtime's.
    close(): void {},
  };
}
