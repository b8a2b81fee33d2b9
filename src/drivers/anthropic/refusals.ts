import type {
  NoBatches,
  NoStorage,
  ProviderDriver,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";

export const NO_STORAGE: NoStorage = {
  kind: "none",
  reason: "Anthropic has no file storage for batches: create message " +
    "batches inline with the Anthropic SDK or, in a later release, set " +
    "ANTHROPIC_STAGED_FILES=true.",
};

export const NO_BATCHES: NoBatches = {
  kind: "none",
  reason: "Anthropic takes a batch's records inline, not from a file: create " +
    "message batches with the Anthropic SDK or, in a later release, set " +
    "ANTHROPIC_STAGED_FILES=true.",
};

/**
 * Anthropic without a key. Files and jobs would be refused with one too, and a
 * caller should learn that first; only the catalogue complains of the key.
 */
export function createKeylessAnthropicDriver(reason: string): ProviderDriver {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new GatewayError(
        {
          kind: "invalid_argument",
          argument: "x-model-provider",
          value: "anthropic",
        },
        reason,
      ),
    );
  return {
    provider: "anthropic",
    storage: NO_STORAGE,
    batches: NO_BATCHES,
    models: { listModels: refuse, getModel: refuse },
    probe: refuse,
    close(): void {},
  };
}
