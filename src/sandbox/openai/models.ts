import { OpenAiError } from "./error.ts";

/** Some of what the Models API lists: id and time of creation in seconds. */
const MODELS: readonly (readonly [id: string, created: number])[] = [
  ["gpt-3.5-turbo", 1677610602],
  ["gpt-4.1", 1744316542],
  ["gpt-4.1-mini", 1744318173],
  ["gpt-4.1-nano", 1744321025],
  ["gpt-4o", 1715367049],
  ["gpt-4o-2024-08-06", 1722814719],
  ["gpt-4o-mini", 1721172741],
  ["gpt-4o-mini-2024-07-18", 1721172717],
  ["gpt-5", 1754425777],
  ["gpt-5-mini", 1754425928],
  ["gpt-5-nano", 1754426384],
  ["gpt-5.1", 1762800673],
  ["o3", 1744225308],
  ["o4-mini", 1744225351],
  ["omni-moderation-latest", 1731689265],
  ["text-embedding-3-large", 1705953180],
  ["text-embedding-3-small", 1705948997],
];

/**
 * Names that the Batch API takes. The list above is short, so names are judged
 * by their family; another provider's model is still told apart.
 */
export function isBatchModel(model: string): boolean {
  return /^(ft:)?(gpt-|chatgpt-|o\d|davinci-|babbage-|text-embedding-|omni-moderation|text-moderation|dall-e|sora)/
    .test(model);
}

export function listModels(): Response {
  return Response.json({ object: "list", data: MODELS.map(wireModel) });
}

export function retrieveModel(id: string): Response {
  const model = MODELS.find(([known]) => known === id);
  if (model !== undefined) return Response.json(wireModel(model));
  throw new OpenAiError({
    status: 404,
    message: `The model '${id}' does not exist`,
    param: "model",
    code: "model_not_found",
  });
}

function wireModel([id, created]: readonly [string, number]): unknown {
  return { id, object: "model", created, owned_by: "system" };
}
