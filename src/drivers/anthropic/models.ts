import type {
  DriverCall,
  FoundationModel,
  ModelCatalogue,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import type { AnthropicClient } from "./client.ts";
import { tryParseModel, type WireModel } from "./wire.ts";

/** "List Models": the limit lies between 1 and 1,000. */
const PAGE_MODELS_MAX = 1_000;
const PAGES_MAX = 100;

/** Anthropic's list of models, in the terms of Bedrock's catalogue. */
export class AnthropicModels implements ModelCatalogue {
  readonly #client: AnthropicClient;

  constructor(client: AnthropicClient) {
    this.#client = client;
  }

  async listModels(call: DriverCall): Promise<readonly FoundationModel[]> {
    const models: FoundationModel[] = [];
    let after: string | null = null;
    for (let pageNumber = 1; pageNumber <= PAGES_MAX; pageNumber++) {
      const page: ModelPage = await this.#readPage(call, {
        after,
        sizeMax: PAGE_MODELS_MAX,
      });
      const last: string | null = page.models.at(-1)?.modelId ?? null;
      // A server that ignores `after_id` sends the same page again.
      if (last === null || last === after) break;
      models.push(...page.models);
      if (!page.more) break;
      after = last;
    }
    return models;
  }

  async getModel(call: DriverCall, modelId: string): Promise<FoundationModel> {
    const id = toModelId(modelId);
    const missing = { kind: "no_such_resource", resource: modelId } as const;
    if (id === "" || id === "." || id === "..") {
      throw new GatewayError(missing, `Anthropic has no model "${modelId}".`);
    }
    const model = await this.#client.read(
      call,
      missing,
      async (sdk, options) =>
        tryParseModel(await sdk.models.retrieve(id, {}, options)),
    );
    return toFoundationModel(model ?? { id });
  }

  /** The least that can be asked for, to learn whether the key works. */
  async probe(call: DriverCall): Promise<void> {
    await this.#readPage(call, { after: null, sizeMax: 1 });
  }

  #readPage(
    call: DriverCall,
    page: { readonly after: string | null; readonly sizeMax: number },
  ): Promise<ModelPage> {
    return this.#client.read(
      call,
      { kind: "upstream_failed", status: 404 },
      async (sdk, options) => {
        const answer = await sdk.models.list({
          limit: page.sizeMax,
          ...(page.after === null ? {} : { after_id: page.after }),
        }, options);
        return {
          models: answer.data.map(tryParseModel)
            .filter((model) => model !== null).map(toFoundationModel),
          more: answer.has_more === true,
        };
      },
    );
  }
}

interface ModelPage {
  readonly models: readonly FoundationModel[];
  readonly more: boolean;
}

/** The model's own id in a Bedrock ARN; any other text is one already. */
function toModelId(text: string): string {
  const match = /^arn:[^/]*:(?:foundation|custom)-model\/(.+)$/.exec(text);
  return match?.[1] ?? text;
}

export function toFoundationModel(model: WireModel): FoundationModel {
  // Every Claude model since Claude 3 reads images; few servers say so.
  const seesImages = model.capabilities?.image_input?.supported ??
    !/^claude-(2|instant)/.test(model.id);
  return {
    modelId: model.id,
    modelArn: null,
    modelName: model.display_name ?? model.id,
    providerName: "Anthropic",
    inputModalities: seesImages ? ["TEXT", "IMAGE"] : ["TEXT"],
    outputModalities: ["TEXT"],
    responseStreamingSupported: true,
    customizationsSupported: [],
    inferenceTypesSupported: ["ON_DEMAND"],
    lifecycleStatus: "ACTIVE",
  };
}
