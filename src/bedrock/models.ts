import { z } from "zod";
import type { FoundationModel } from "../domain/driver.ts";
import { parseMembers } from "./members.ts";

/** ListFoundationModels' filters, as the botocore model names them. */
const filterShape = z.object({
  byProvider: z.string().min(1).max(64).optional(),
  byCustomizationType: z.enum([
    "FINE_TUNING",
    "CONTINUED_PRE_TRAINING",
    "DISTILLATION",
  ]).optional(),
  byOutputModality: z.enum(["TEXT", "IMAGE", "EMBEDDING"]).optional(),
  byInferenceType: z.enum(["ON_DEMAND", "PROVISIONED"]).optional(),
});

/** Models that pass every filter given, in the catalogue's order. */
export function filterModels(
  models: readonly FoundationModel[],
  query: readonly (readonly [string, string])[],
): readonly FoundationModel[] {
  const filters = parseMembers(filterShape, Object.fromEntries(query));
  const provider = filters.byProvider?.toLowerCase();
  return models.filter((model) =>
    (provider === undefined || model.providerName.toLowerCase() === provider) &&
    holds(model.customizationsSupported, filters.byCustomizationType) &&
    holds(model.outputModalities, filters.byOutputModality) &&
    holds(model.inferenceTypesSupported, filters.byInferenceType)
  );
}

function holds(values: readonly string[], wanted: string | undefined): boolean {
  return wanted === undefined || values.includes(wanted);
}

/** A model as FoundationModelSummary and FoundationModelDetails have it. */
export function renderModel(
  model: FoundationModel,
  region: string,
): Record<string, unknown> {
  return {
    modelArn: model.modelArn ??
      `arn:aws:bedrock:${region}::foundation-model/${model.modelId}`,
    modelId: model.modelId,
    modelName: model.modelName,
    providerName: model.providerName,
    inputModalities: model.inputModalities,
    outputModalities: model.outputModalities,
    ...(model.responseStreamingSupported !== null && {
      responseStreamingSupported: model.responseStreamingSupported,
    }),
    customizationsSupported: model.customizationsSupported,
    inferenceTypesSupported: model.inferenceTypesSupported,
    modelLifecycle: { status: model.lifecycleStatus },
  };
}
