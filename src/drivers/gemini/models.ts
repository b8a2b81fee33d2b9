import type {
  DriverCall,
  FoundationModel,
  ModelCatalogue,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import type { GeminiClient } from "./client.ts";
import { tryParseModel, type WireModel, withoutCollection } from "./wire.ts";

/** "models.list": a page has at most 1,000. */
const PAGE_MODELS_MAX = 1_000;
const PAGES_MAX = 100;

interface Modalities {
  readonly input: readonly string[];
  readonly output: readonly string[];
}

/** The API does not tell modalities, so names have to; the first that fits. */
const MODALITIES: readonly (readonly [RegExp, Modalities])[] = [
  [/embedding/, { input: ["TEXT"], output: ["EMBEDDING"] }],
  [/^imagen/, { input: ["TEXT"], output: ["IMAGE"] }],
  [/^veo/, { input: ["TEXT", "IMAGE"], output: ["VIDEO"] }],
  [/-tts/, { input: ["TEXT"], output: ["SPEECH"] }],
  [/^gemini.*-image/, { input: ["TEXT", "IMAGE"], output: ["TEXT", "IMAGE"] }],
  [/^gemini/, {
    input: ["TEXT", "IMAGE", "SPEECH", "VIDEO"],
    output: ["TEXT"],
  }],
  [/^gemma-(3|[4-9])/, { input: ["TEXT", "IMAGE"], output: ["TEXT"] }],
];
const TEXT_ONLY: Modalities = { input: ["TEXT"], output: ["TEXT"] };

/** Gemini's list of models, in the terms of Bedrock's catalogue. */
export class GeminiModels implements ModelCatalogue {
  readonly #client: GeminiClient;

  constructor(client: GeminiClient) {
    this.#client = client;
  }

  async listModels(call: DriverCall): Promise<readonly FoundationModel[]> {
    const models: FoundationModel[] = [];
    let pageToken: string | null = null;
    for (let pageNumber = 1; pageNumber <= PAGES_MAX; pageNumber++) {
      const page: ModelPage = await this.#readPage(call, {
        pageToken,
        sizeMax: PAGE_MODELS_MAX,
      });
      models.push(...page.models);
      if (page.nextPageToken === pageToken) break;
      pageToken = page.nextPageToken;
      if (pageToken === null) break;
    }
    return models;
  }

  async getModel(call: DriverCall, modelId: string): Promise<FoundationModel> {
    const path = checkedModelPath(modelId);
    const model = await this.#client.read(
      call,
      { kind: "no_such_resource", resource: modelId },
      async (sdk, abortSignal) =>
        tryParseModel(
          await sdk.models.get({ model: path, config: { abortSignal } }),
        ),
    );
    return toFoundationModel(model ?? { name: path, displayName: null });
  }

  /** The least that can be asked for, to learn whether the key works. */
  async probe(call: DriverCall): Promise<void> {
    await this.#readPage(call, { pageToken: null, sizeMax: 1 });
  }

  #readPage(
    call: DriverCall,
    page: { readonly pageToken: string | null; readonly sizeMax: number },
  ): Promise<ModelPage> {
    return this.#client.read(
      call,
      { kind: "upstream_failed", status: 404 },
      async (sdk, abortSignal) => {
        const pager = await sdk.models.list({
          config: {
            abortSignal,
            pageSize: page.sizeMax,
            ...(page.pageToken === null ? {} : { pageToken: page.pageToken }),
          },
        });
        return {
          models: pager.page.map(tryParseModel)
            .filter((model) => model !== null).map(toFoundationModel),
          nextPageToken: pager.params.config?.pageToken || null,
        };
      },
    );
  }
}

interface ModelPage {
  readonly models: readonly FoundationModel[];
  readonly nextPageToken: string | null;
}

/**
 * `models/<id>` or `tunedModels/<id>`, fit for a URL, of an id as callers give
 * it: with or without `models/`, or at the end of a Bedrock ARN.
 *
 * @throws {GatewayError} `no_such_resource` for what no model can be called.
 */
export function checkedModelPath(modelId: string): string {
  const arn = /^arn:[^/]*:(?:foundation|custom)-model\/(.+)$/.exec(modelId);
  const id = withoutCollection(arn?.[1] ?? modelId);
  if (/^(tunedModels\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(id)) {
    return id.startsWith("tunedModels/") ? id : `models/${id}`;
  }
  throw new GatewayError(
    { kind: "no_such_resource", resource: modelId },
    `Gemini has no model "${modelId}".`,
  );
}

export function toFoundationModel(model: WireModel): FoundationModel {
  const modelId = withoutCollection(model.name);
  const modalities =
    MODALITIES.find(([pattern]) => pattern.test(modelId))?.[1] ?? TEXT_ONLY;
  return {
    modelId,
    modelArn: null,
    modelName: model.displayName ?? modelId,
    providerName: "Google",
    inputModalities: modalities.input,
    outputModalities: modalities.output,
    responseStreamingSupported: modalities.output.includes("TEXT"),
    customizationsSupported: [],
    inferenceTypesSupported: ["ON_DEMAND"],
    lifecycleStatus: "ACTIVE",
  };
}
