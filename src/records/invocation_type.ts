import { z } from "zod";

const record = z.object({ modelInput: z.record(z.string(), z.unknown()) });

/** Members that only the Converse request has; see ConverseRequest in the botocore model. */
const CONVERSE_ONLY = [
  "inferenceConfig",
  "toolConfig",
  "guardrailConfig",
  "additionalModelRequestFields",
  "promptVariables",
  "outputConfig",
];

const converseMessages = z.array(z.object({
  role: z.string(),
  content: z.array(
    z.object({}).catchall(z.unknown()).refine((block) => !("type" in block)),
  ),
})).nonempty();

/**
 * Which invocation type a Bedrock record was written for: real Bedrock fails
 * every record of a job that names the other. Null where it is no such record.
 */
export function inferInvocationType(
  firstRecord: unknown,
): "Converse" | "InvokeModel" | null {
  const parsed = record.safeParse(firstRecord);
  if (!parsed.success) return null;
  const input = parsed.data.modelInput;
  if ("anthropic_version" in input || "max_tokens" in input) {
    return "InvokeModel";
  }
  if (CONVERSE_ONLY.some((member) => member in input)) return "Converse";
  return converseMessages.safeParse(input.messages).success
    ? "Converse"
    : "InvokeModel";
}
