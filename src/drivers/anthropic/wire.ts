import { z } from "zod";

/**
 * Anthropic's Model object (Claude API reference, "Models"), read so that
 * other servers of this API may leave out what they do not know.
 */
const modelSchema = z.object({
  id: z.string().min(1),
  display_name: z.string().min(1).nullish().catch(null),
  capabilities: z.object({
    image_input: z.object({ supported: z.boolean() }).nullish().catch(null),
  }).nullish().catch(null),
});

export type WireModel = z.infer<typeof modelSchema>;

/** Null where it is no Model object. */
export function tryParseModel(json: unknown): WireModel | null {
  return modelSchema.safeParse(json).data ?? null;
}
