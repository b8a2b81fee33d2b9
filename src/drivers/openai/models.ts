import type {
  DriverCall,
  FoundationModel,
  ModelCatalogue,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import type { OpenAiClient } from "./client.ts";
import { tryParseModelId } from "./wire.ts";

interface Modalities {
  readonly input: readonly string[];
  readonly output: readonly string[];
}

/** The API tells nothing but ids, so names have to; the first that fits. */
const MODALITIES: readonly (readonly [RegExp, Modalities])[] = [
  [/embedding/, { input: ["TEXT"], output: ["EMBEDDING"] }],
  [/^dall-e|^(chat)?gpt-image/, {
    input: ["TEXT", "IMAGE"],
    output: ["IMAGE"],
  }],
  [/^sora/, { input: ["TEXT", "IMAGE"], output: ["VIDEO"] }],
  [/whisper|transcribe/, { input: ["SPEECH"], output: ["TEXT"] }],
  [/^tts|-tts/, { input: ["TEXT"], output: ["SPEECH"] }],
  [/realtime|audio/, {
    input: ["TEXT", "SPEECH"],
    output: ["TEXT", "SPEECH"],
  }],
  [/^o[13]-mini|^o1-preview|^gpt-3|^gpt-4(-0613)?$/, {
    input: ["TEXT"],
    output: ["TEXT"],
  }],
  [/^o\d|^gpt-[4-9]|^chatgpt-4o|^omni-moderation|^computer-use/, {
    input: ["TEXT", "IMAGE"],
    output: ["TEXT"],
  }],
];
const TEXT_ONLY: Modalities = { input: ["TEXT"], output: ["TEXT"] };

/** OpenAI's list of models, in the terms of Bedrock's catalogue. */
export class OpenAiModels implements ModelCatalogue {
  readonly #client: OpenAiClient;

  constructor(client: OpenAiClient) {
    this.#client = client;
  }

  listModels(call: DriverCall): Promise<readonly FoundationModel[]> {
    return this.#client.read(
      call,
      { kind: "upstream_failed", status: 404 },
      async (sdk, options) => {
        const page = await sdk.models.list(options);
        return page.data.map(tryParseModelId).filter((id) => id !== null)
          .map(toFoundationModel);
      },
    );
  }

  async getModel(call: DriverCall, modelId: string): Promise<FoundationModel> {
    const id = toModelId(modelId);
    const failure = { kind: "no_such_resource", resource: modelId } as const;
    if (id === "" || id === "." || id === "..") {
      throw new GatewayError(failure, `OpenAI has no model "${modelId}".`);
    }
    return await this.#client.read(call, failure, async (sdk, options) => {
      const model = await sdk.models.retrieve(id, options);
      return toFoundationModel(tryParseModelId(model) ?? id);
    });
  }
}

/** The model's own id in a Bedrock ARN; any other text is one already. */
function toModelId(text: string): string {
  const match = /^arn:[^/]*:(?:foundation|custom)-model\/(.+)$/.exec(text);
  return match?.[1] ?? text;
}

export function toFoundationModel(modelId: string): FoundationModel {
  const base = modelId.replace(/^ft:/, "");
  const modalities = MODALITIES.find(([pattern]) => pattern.test(base))?.[1] ??
    TEXT_ONLY;
  return {
    modelId,
    modelArn: null,
    modelName: modelId,
    providerName: "OpenAI",
    inputModalities: modalities.input,
    outputModalities: modalities.output,
    responseStreamingSupported: modalities.output.includes("TEXT"),
    customizationsSupported: [],
    inferenceTypesSupported: ["ON_DEMAND"],
    lifecycleStatus: "ACTIVE",
  };
}
