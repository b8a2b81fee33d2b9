import { z } from "zod";
import { fit, oneOf, text } from "./constraint.ts";
import { BedrockFailure } from "./failure.ts";

/** FoundationModelDetails in the botocore model, the ARN aside. */
interface FoundationModel {
  readonly modelId: string;
  readonly modelName: string;
  readonly providerName: string;
  readonly inputModalities: readonly Modality[];
  readonly outputModalities: readonly Modality[];
  readonly responseStreamingSupported: boolean;
  readonly customizationsSupported: readonly Customization[];
  readonly inferenceTypesSupported: readonly InferenceType[];
  readonly modelLifecycle: { readonly status: "ACTIVE" | "LEGACY" };
}

const MODALITIES = ["TEXT", "IMAGE", "EMBEDDING"] as const;
type Modality = typeof MODALITIES[number];

const CUSTOMIZATIONS = [
  "FINE_TUNING",
  "CONTINUED_PRE_TRAINING",
  "DISTILLATION",
] as const;
type Customization = typeof CUSTOMIZATIONS[number];

const INFERENCE_TYPES = ["ON_DEMAND", "PROVISIONED"] as const;
type InferenceType = typeof INFERENCE_TYPES[number];

/** What most models have in common. */
const TEXT_MODEL = {
  inputModalities: ["TEXT"],
  outputModalities: ["TEXT"],
  responseStreamingSupported: true,
  customizationsSupported: [],
  inferenceTypesSupported: ["ON_DEMAND"],
  modelLifecycle: { status: "ACTIVE" },
} as const;

const CLAUDE = {
  ...TEXT_MODEL,
  providerName: "Anthropic",
  inputModalities: ["TEXT", "IMAGE"],
} as const;

const MODELS: readonly FoundationModel[] = [
  {
    ...CLAUDE,
    modelId: "anthropic.claude-3-sonnet-20240229-v1:0",
    modelName: "Claude 3 Sonnet",
    modelLifecycle: { status: "LEGACY" },
  },
  {
    ...CLAUDE,
    modelId: "anthropic.claude-3-haiku-20240307-v1:0",
    modelName: "Claude 3 Haiku",
  },
  {
    ...CLAUDE,
    modelId: "anthropic.claude-3-5-sonnet-20241022-v2:0",
    modelName: "Claude 3.5 Sonnet v2",
  },
  {
    ...CLAUDE,
    modelId: "anthropic.claude-3-haiku-20240307-v1:0:200k",
    modelName: "Claude 3 Haiku",
    customizationsSupported: ["FINE_TUNING"],
    inferenceTypesSupported: ["PROVISIONED"],
  },
  {
    ...TEXT_MODEL,
    modelId: "amazon.nova-lite-v1:0",
    modelName: "Nova Lite",
    providerName: "Amazon",
    inputModalities: ["TEXT", "IMAGE"],
  },
  {
    ...TEXT_MODEL,
    modelId: "amazon.nova-micro-v1:0",
    modelName: "Nova Micro",
    providerName: "Amazon",
  },
  {
    ...TEXT_MODEL,
    modelId: "amazon.titan-text-express-v1",
    modelName: "Titan Text G1 - Express",
    providerName: "Amazon",
    modelLifecycle: { status: "LEGACY" },
  },
  {
    ...TEXT_MODEL,
    modelId: "amazon.titan-embed-text-v2:0",
    modelName: "Titan Text Embeddings V2",
    providerName: "Amazon",
    outputModalities: ["EMBEDDING"],
    responseStreamingSupported: false,
  },
  {
    ...TEXT_MODEL,
    modelId: "meta.llama3-1-70b-instruct-v1:0",
    modelName: "Llama 3.1 70B Instruct",
    providerName: "Meta",
  },
];

const querySchema = z.object({
  byProvider: text({ min: 1, max: 63 }, /^[A-Za-z0-9\- ]{1,63}$/).optional(),
  byCustomizationType: oneOf(CUSTOMIZATIONS).optional(),
  byOutputModality: oneOf(MODALITIES).optional(),
  byInferenceType: oneOf(INFERENCE_TYPES).optional(),
});

const MODEL_IDENTIFIER =
  /^(?:arn:aws(?:-[^:]+)?:bedrock:[a-z0-9-]{1,20}::foundation-model\/)?([a-z0-9-]{1,63}\.[a-z0-9.-]{1,126}(?::[a-z0-9-]{1,63}){0,2})$/;

export function listFoundationModels(
  search: URLSearchParams,
  region: string,
): Response {
  const query = fit(querySchema, Object.fromEntries(search));
  const provider = query.byProvider?.toLowerCase();
  const found = MODELS.filter((model) =>
    [model.providerName.toLowerCase(), undefined].includes(provider) &&
    has(model.customizationsSupported, query.byCustomizationType) &&
    has(model.outputModalities, query.byOutputModality) &&
    has(model.inferenceTypesSupported, query.byInferenceType)
  );
  const modelSummaries = found.map((model) => withArn(model, region));
  return Response.json({ modelSummaries });
}

/** @throws {BedrockFailure} `ValidationException`, `ResourceNotFoundException`. */
export function getFoundationModel(
  identifier: string,
  region: string,
): Response {
  const modelId = MODEL_IDENTIFIER.exec(identifier)?.[1];
  if (modelId === undefined) {
    throw new BedrockFailure(
      "ValidationException",
      "The provided model identifier is invalid.",
    );
  }
  const model = MODELS.find((candidate) => candidate.modelId === modelId);
  if (model === undefined) {
    throw new BedrockFailure(
      "ResourceNotFoundException",
      "Could not resolve the foundation model from the provided model identifier.",
    );
  }
  return Response.json({ modelDetails: withArn(model, region) });
}

function withArn(model: FoundationModel, region: string): unknown {
  const modelArn =
    `arn:aws:bedrock:${region}::foundation-model/${model.modelId}`;
  return { modelArn, ...model };
}

function has<Value>(
  values: readonly Value[],
  wanted: Value | undefined,
): boolean {
  return wanted === undefined || values.includes(wanted);
}
