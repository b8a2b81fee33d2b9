/** The companies whose batch APIs FinOps speaks, in the order they are shown. */
export const PROVIDER_NAMES = [
  "bedrock",
  "openai",
  "gemini",
  "anthropic",
] as const;

export type ProviderName = typeof PROVIDER_NAMES[number];

/** Reads a provider's name as people write it: any case, spaces around it. */
export function parseProviderName(text: string): ProviderName | null {
  const name = text.trim().toLowerCase();
  return PROVIDER_NAMES.find((known) => known === name) ?? null;
}
