import type { z } from "zod";

/**
 * What a model says of a body that does not fit its schema, in the words that
 * Bedrock uses for InvokeModel; null where the body fits.
 */
export function firstProblem(schema: z.ZodType, body: unknown): string | null {
  const [issue] = schema.safeParse(body).error?.issues ?? [];
  if (issue === undefined) return null;
  const at = ["#", ...issue.path.map(String)].join("/");
  const reason = issue.code === "unrecognized_keys"
    ? `extraneous key [${issue.keys.join(", ")}] is not permitted`
    : issue.message;
  return `Malformed input request: ${at}: ${reason}, please reformat your ` +
    "input and try again.";
}
