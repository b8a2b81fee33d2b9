import type { ProviderDriver } from "../../domain/driver.ts";
import { OpenAiBatches } from "./batches.ts";
import { OpenAiClient, type OpenAiConfig } from "./client.ts";
import { OpenAiFiles } from "./files.ts";
import { OpenAiModels } from "./models.ts";

/** One OpenAI project, or any other server of OpenAI's API. */
export function createOpenAiDriver(config: OpenAiConfig): ProviderDriver {
  const client = new OpenAiClient(config);
  const storage = new OpenAiFiles(client);
  const models = new OpenAiModels(client);
  return {
    provider: "openai",
    storage,
    batches: new OpenAiBatches(client, storage),
    models,
    async probe(call): Promise<void> {
      await models.listModels(call);
    },
    close: () => client.close(),
  };
}
