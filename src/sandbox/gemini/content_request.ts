import { z } from "zod";
import { GoogleError } from "./error.ts";

const STOP_SEQUENCES_MAX = 5;

/** A part holds exactly one of these. */
const PART_DATA = [
  "text",
  "inlineData",
  "fileData",
  "functionCall",
  "functionResponse",
  "executableCode",
  "codeExecutionResult",
] as const;

const part = z.strictObject({
  text: z.string().optional(),
  inlineData: z.strictObject({
    mimeType: z.string(),
    data: z.base64(),
    displayName: z.string().optional(),
  }).optional(),
  fileData: z.strictObject({
    mimeType: z.string().optional(),
    fileUri: z.string(),
    displayName: z.string().optional(),
  }).optional(),
  functionCall: z.strictObject({
    id: z.string().optional(),
    name: z.string(),
    args: z.looseObject({}).optional(),
  }).optional(),
  functionResponse: z.strictObject({
    id: z.string().optional(),
    name: z.string(),
    response: z.looseObject({}),
    parts: z.array(z.looseObject({})).optional(),
    willContinue: z.boolean().optional(),
    scheduling: z.string().optional(),
  }).optional(),
  executableCode: z.unknown().optional(),
  codeExecutionResult: z.unknown().optional(),
  thought: z.boolean().optional(),
  thoughtSignature: z.string().optional(),
  videoMetadata: z.unknown().optional(),
  mediaResolution: z.unknown().optional(),
  partMetadata: z.unknown().optional(),
}).refine(
  (fields) =>
    PART_DATA.filter((name) => fields[name] !== undefined).length === 1,
  "required oneof field 'data' must have one initialized field",
);

const content = z.strictObject({
  role: z.enum(["user", "model", "function"], {
    error: "Please use a valid role: user, model.",
  }).optional(),
  parts: z.array(part).min(1),
});
type Content = z.infer<typeof content>;

const functionDeclaration = z.strictObject({
  name: z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/),
  description: z.string().optional(),
  parameters: z.looseObject({}).optional(),
  parametersJsonSchema: z.unknown().optional(),
  response: z.unknown().optional(),
  responseJsonSchema: z.unknown().optional(),
  behavior: z.string().optional(),
});

const generationConfig = z.strictObject({
  stopSequences: z.array(z.string()).max(STOP_SEQUENCES_MAX).optional(),
  responseMimeType: z.string().optional(),
  responseSchema: z.looseObject({}).optional(),
  responseJsonSchema: z.unknown().optional(),
  maxOutputTokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  topK: z.number().min(1).optional(),
  thinkingConfig: z.strictObject({
    thinkingBudget: z.int().min(-1).optional(),
    thinkingLevel: z.enum(["MINIMAL", "LOW", "MEDIUM", "HIGH"]).optional(),
    includeThoughts: z.boolean().optional(),
  }).optional(),
  candidateCount: z.int().optional(),
  seed: z.int().optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  responseLogprobs: z.boolean().optional(),
  logprobs: z.int().optional(),
  responseModalities: z.array(z.string()).optional(),
  enableEnhancedCivicAnswers: z.boolean().optional(),
  speechConfig: z.unknown().optional(),
  imageConfig: z.unknown().optional(),
  mediaResolution: z.string().optional(),
});

/** GenerateContentRequest with its names in camelCase. */
const contentRequest = z.strictObject({
  model: z.string().optional(),
  contents: z.array(content).min(1, "contents is not specified"),
  systemInstruction: content.optional(),
  tools: z.array(z.looseObject({
    functionDeclarations: z.array(functionDeclaration).optional(),
  })).optional(),
  toolConfig: z.looseObject({
    functionCallingConfig: z.strictObject({
      mode: z.enum(["AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"])
        .optional(),
      allowedFunctionNames: z.array(z.string()).optional(),
    }).optional(),
  }).optional(),
  safetySettings: z.array(z.looseObject({})).optional(),
  generationConfig: generationConfig.optional(),
  cachedContent: z.string().optional(),
  serviceTier: z.string().optional(),
  store: z.boolean().optional(),
});
type ContentRequest = z.infer<typeof contentRequest>;

/** @throws {GoogleError} INVALID_ARGUMENT where the model would refuse it. */
export function checkContentRequest(request: unknown): void {
  const parsed = contentRequest.safeParse(camelDeep(request));
  if (!parsed.success) throw issueError(parsed.error);
  checkFunctionTurns(parsed.data.contents);
  checkConfig(parsed.data);
}

/** The API's words for the first thing that is wrong with a message. */
export function issueError(error: z.ZodError): GoogleError {
  // Unknown names already break the parsing that comes before judging.
  const issue =
    error.issues.find((entry) => entry.code === "unrecognized_keys") ??
      error.issues[0];
  const place = (issue?.path ?? []).map((step) =>
    typeof step === "number" ? `[${step}]` : `.${snake(String(step))}`
  ).join("").replace(/^\./, "");
  if (issue?.code === "unrecognized_keys") {
    const at = place === "" ? "" : ` at '${place}'`;
    return new GoogleError(
      "INVALID_ARGUMENT",
      `Invalid JSON payload received. Unknown name "${issue.keys[0]}"${at}: ` +
        "Cannot find field.",
    );
  }
  const text = place === "" ? "" : `${place}: `;
  return new GoogleError(
    "INVALID_ARGUMENT",
    `* ${text}${issue?.message ?? "invalid"}`,
  );
}

/** Values whose member names are the caller's own. */
const OPAQUE: ReadonlySet<string> = new Set([
  "metadata",
  "args",
  "response",
  "parameters",
  "parametersJsonSchema",
  "responseSchema",
  "responseJsonSchema",
]);

/** Proto JSON takes snake_case names too. */
export function camelDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelDeep);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const camel = name.replace(
        /_([a-z])/g,
        (_, letter: string) => letter.toUpperCase(),
      );
      return [camel, OPAQUE.has(camel) ? member : camelDeep(member)];
    }),
  );
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function checkFunctionTurns(contents: readonly Content[]): void {
  let callsBefore = 0;
  for (const { parts } of contents) {
    const count = (name: "functionCall" | "functionResponse") =>
      parts.filter((entry) => entry[name] !== undefined).length;
    const responses = count("functionResponse");
    if (responses > 0 && callsBefore === 0) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        "Please ensure that function response turn comes immediately after a " +
          "function call turn.",
      );
    }
    if (responses !== callsBefore) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        "Please ensure that the number of function response parts is equal " +
          "to the number of function call parts of the function call turn.",
      );
    }
    callsBefore = count("functionCall");
  }
}

function checkConfig(request: ContentRequest): void {
  const config = request.generationConfig ?? {};
  const schema = config.responseSchema ?? config.responseJsonSchema;
  const isJson = config.responseMimeType === "application/json";
  if (schema !== undefined && !isJson) {
    throw new GoogleError(
      "INVALID_ARGUMENT",
      "* GenerateContentRequest.generation_config.response_mime_type: a " +
        "response schema needs application/json.",
    );
  }
  const calling = request.toolConfig?.functionCallingConfig;
  const names = calling?.allowedFunctionNames ?? [];
  if (names.length > 0 && calling?.mode !== "ANY") {
    throw new GoogleError(
      "INVALID_ARGUMENT",
      "Function calling mode must be ANY when allowed_function_names are set.",
    );
  }
}
