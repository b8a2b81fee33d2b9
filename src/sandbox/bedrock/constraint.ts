import { z } from "zod";
import { BedrockFailure } from "./failure.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const ISSUES_SHOWN_MAX = 10;

/** The message for a member that must be there. */
export const required = {
  error: (issue: { input?: unknown }): string | undefined =>
    issue.input === undefined ? "Member must not be null" : undefined,
};

/** A text with the length and the pattern (whole text) of the model. */
export function text(
  lengths: { min: number; max: number },
  pattern?: RegExp,
): z.ZodString {
  const { min, max } = lengths;
  const bounded = z.string(required)
    .min(min, `Member must have length greater than or equal to ${min}`)
    .max(max, `Member must have length less than or equal to ${max}`);
  if (pattern === undefined) return bounded;
  return bounded.regex(
    pattern,
    `Member must satisfy regular expression pattern: ${pattern.source}`,
  );
}

/** A list whose length the model bounds. */
export function list<Item extends z.ZodType>(
  item: Item,
  lengths: { min: number; max: number },
): z.ZodArray<Item> {
  const { min, max } = lengths;
  return z.array(item, required)
    .min(min, `Member must have length greater than or equal to ${min}`)
    .max(max, `Member must have length less than or equal to ${max}`);
}

export function oneOf<const Values extends readonly [string, ...string[]]>(
  values: Values,
): z.ZodEnum<{ [Value in Values[number]]: Value }> {
  return z.enum(values, {
    error: `Member must satisfy enum value set: [${values.join(", ")}]`,
  });
}

/**
 * Fits a value to a schema.
 *
 * @throws {BedrockFailure} `ValidationException` in AWS's words.
 */
export function fit<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const lines = issues.slice(0, ISSUES_SHOWN_MAX).map(({ path, message }) => {
    const at = path.map(String).join(".");
    return `Value at '${at}' failed to satisfy constraint: ${message}`;
  });
  throw new BedrockFailure(
    "ValidationException",
    `${issues.length} validation error${issues.length === 1 ? "" : "s"} ` +
      `detected: ${lines.join("; ")}`,
  );
}

/** Reads a JSON body; members that are null count as absent. */
export async function readBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.infer<Schema>> {
  let body = "";
  let sizeBytes = 0;
  const decoder = new TextDecoder();
  for await (const bytes of request.body ?? []) {
    sizeBytes += bytes.length;
    if (sizeBytes > BODY_BYTES_MAX) {
      throw new BedrockFailure(
        "ValidationException",
        `The request body is larger than ${BODY_BYTES_MAX} bytes.`,
      );
    }
    body += decoder.decode(bytes, { stream: true });
  }
  return fit(schema, parseJson(body + decoder.decode()));
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(
      body,
      (_, value: unknown) => value === null ? undefined : value,
    );
  } catch {
    throw new BedrockFailure(
      "SerializationException",
      "The request body is no JSON.",
    );
  }
}
