import { GoogleError } from "./error.ts";
import { pageOf } from "./list.ts";

const PAGE_SIZE = { default: 50, max: 1000 };

interface GeminiModel {
  readonly id: string;
  readonly displayName: string;
  readonly inputTokenLimit: number;
  readonly outputTokenLimit: number;
  readonly methods: readonly string[];
}

const GENERATION = [
  "generateContent",
  "countTokens",
  "createCachedContent",
  "batchGenerateContent",
];
const EMBEDDING = ["embedContent", "countTextTokens", "asyncBatchEmbedContent"];

/** Some of what the Models API lists. */
const MODELS: readonly GeminiModel[] = [
  generator("gemini-2.5-pro", "Gemini 2.5 Pro"),
  generator("gemini-2.5-flash", "Gemini 2.5 Flash"),
  generator("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite"),
  generator("gemini-2.0-flash", "Gemini 2.0 Flash"),
  generator("gemini-2.0-flash-lite", "Gemini 2.0 Flash-Lite"),
  generator("gemini-1.5-flash", "Gemini 1.5 Flash"),
  {
    id: "gemini-embedding-001",
    displayName: "Gemini Embedding 001",
    inputTokenLimit: 2048,
    outputTokenLimit: 1,
    methods: EMBEDDING,
  },
];

function generator(id: string, displayName: string): GeminiModel {
  return {
    id,
    displayName,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    methods: GENERATION,
  };
}

/** The list above is short, so names are judged by their family. */
export function isBatchModel(id: string): boolean {
  return /^gemini-[a-z0-9.-]+$/.test(id) && !id.includes("embedding");
}

export function listModels(query: URLSearchParams): Response {
  const listed = MODELS.map((model, index) => ({
    model,
    sequence: MODELS.length - index,
  }));
  const { items, nextPageToken } = pageOf(listed, query, PAGE_SIZE);
  return Response.json({
    models: items.map(({ model }) => wireModel(model)),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  });
}

export function getModel(id: string, version: string): Response {
  const model = MODELS.find((known) => known.id === id);
  if (model !== undefined) return Response.json(wireModel(model));
  throw modelNotFound(id, version, "generateContent");
}

export function modelNotFound(
  id: string,
  version: string,
  method: string,
): GoogleError {
  return new GoogleError(
    "NOT_FOUND",
    `models/${id} is not found for API version ${version}, or is not ` +
      `supported for ${method}. Call ListModels to see the list of available ` +
      "models and their supported methods.",
  );
}

function wireModel(model: GeminiModel): unknown {
  return {
    name: `models/${model.id}`,
    version: "001",
    displayName: model.displayName,
    description: `${model.displayName}, simulated.`,
    inputTokenLimit: model.inputTokenLimit,
    outputTokenLimit: model.outputTokenLimit,
    supportedGenerationMethods: model.methods,
    ...(model.methods === EMBEDDING
      ? {}
      : { temperature: 1, topP: 0.95, topK: 64, maxTemperature: 2 }),
  };
}
