import type { ProviderDriver } from "../domain/driver.ts";

/**
 * Opens each provider's driver. The modules are imported on first use: the
 * SDKs take about 90 MiB of heap together, which nobody should pay for a
 * provider that is not configured.
 */
export const DRIVERS = {
  async bedrock(config: BedrockConfig): Promise<ProviderDriver> {
    const { createBedrockDriver } = await import("./bedrock/driver.ts");
    return createBedrockDriver(config);
  },
  async openai(config: OpenAiConfig): Promise<ProviderDriver> {
    const { createOpenAiDriver } = await import("./openai/driver.ts");
    return createOpenAiDriver(config);
  },
  async gemini(config: ApiKeyConfig): Promise<ProviderDriver> {
    const { createGeminiDriver } = await import("./gemini/driver.ts");
    return createGeminiDriver(config);
  },
  async anthropicWithoutKey(reason: string): Promise<ProviderDriver> {
    const { createKeylessAnthropicDriver } = await import(
      "./anthropic/refusals.ts"
    );
    return createKeylessAnthropicDriver(reason);
  },
  async anthropic(config: ApiKeyConfig): Promise<ProviderDriver> {
    const { createAnthropicDriver } = await import("./anthropic/driver.ts");
    return createAnthropicDriver(config);
  },
};

export interface BedrockConfig {
  readonly region: string;
  readonly s3Endpoint: string | null;
  readonly bedrockEndpoint: string | null;
  readonly batchRoleArn: string | null;
}

export interface ApiKeyConfig {
  readonly apiKey: string;
  readonly baseUrl: string | null;
}

export interface OpenAiConfig extends ApiKeyConfig {
  readonly organization: string | null;
  readonly project: string | null;
}
