import { z } from "zod";

/** An error answer, reduced to what decisions are made of. */
export interface UpstreamAnswer {
  readonly status: number;
  /** Every machine-readable code found: codes, types, statuses, reasons. */
  readonly codes: readonly string[];
  readonly message: string | null;
  readonly retryAfterMs: number | null;
}

const ERROR_BYTES_MAX = 64 * 1024;
const RETRY_AFTER_MS_MAX = 24 * 60 * 60 * 1000;

const textSchema = z.string().nullish().catch(null);
const errorSchema = z.object({
  message: textSchema,
  type: textSchema,
  status: textSchema,
  code: z.union([z.string(), z.number().transform(String)]).nullish()
    .catch(null),
  details: z.array(
    z.object({
      reason: textSchema,
      retryDelay: textSchema,
      violations: z.array(z.object({ quotaId: textSchema })).catch([]),
    }),
  ).catch([]),
});
const errorBodySchema = z.object({
  error: z.union([errorSchema, z.string()]).nullish().catch(null),
  message: textSchema,
  detail: z.unknown().optional(),
});

/** Reads an error answer; its body is bounded and may be cut. */
export async function readErrorAnswer(
  response: Response,
): Promise<UpstreamAnswer> {
  return toUpstreamAnswer(
    response.status,
    response.headers,
    await readStart(response),
  );
}

/** The start of a body, as far as an error message can matter. */
async function readStart(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let seenBytes = 0;
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      seenBytes += chunk.byteLength;
      if (seenBytes >= ERROR_BYTES_MAX) break;
    }
  } catch {
    // A cut error answer still has its status.
  }
  return text;
}

/**
 * Reads an error answer in any of the shapes in use: OpenAI's and Google's
 * `{error: {...}}`, Anthropic's `{type, error: {...}}`, `{error: "text"}`,
 * `{message}` and `{detail}` of servers that speak these APIs.
 */
export function toUpstreamAnswer(
  status: number,
  headers: Headers,
  text: string,
): UpstreamAnswer {
  const body = errorBodySchema.safeParse(firstOf(parseJson(text))).data;
  const error = typeof body?.error === "object" ? body.error : null;
  const details = error?.details ?? [];
  const codes = [
    error?.code,
    error?.type,
    error?.status,
    ...details.map((detail) => detail.reason),
    ...details.flatMap((detail) => detail.violations.map((v) => v.quotaId)),
  ].filter((code): code is string => typeof code === "string");
  const delay = details.find((detail) => detail.retryDelay)?.retryDelay;
  return {
    status,
    codes,
    message: error?.message ??
      (typeof body?.error === "string" ? body.error : null) ??
      body?.message ?? toDetailText(body?.detail),
    retryAfterMs: readRetryAfterMs(headers, new Date()) ??
      readDurationMs(delay ?? ""),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Google's streaming endpoints wrap an error in a list of one. */
function firstOf(json: unknown): unknown {
  return Array.isArray(json) ? json[0] : json;
}

/** FastAPI's `detail`: a text, or a list of what was wrong where. */
function toDetailText(detail: unknown): string | null {
  if (detail === undefined || detail === null) return null;
  return typeof detail === "string" ? detail : JSON.stringify(detail);
}

/**
 * The wait that an answer names: `retry-after-ms`, or `retry-after` in seconds
 * or as a date (RFC 9110, section 10.2.3).
 */
export function readRetryAfterMs(headers: Headers, now: Date): number | null {
  const exactMs = Number(headers.get("retry-after-ms") ?? NaN);
  if (Number.isFinite(exactMs)) return boundWait(exactMs);
  const text = headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return boundWait(seconds * 1000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : boundWait(date - now.getTime());
}

/** google.protobuf.Duration in JSON: "34s", "1.5s". */
function readDurationMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(text);
  return match === null ? null : boundWait(Number(match[1]) * 1000);
}

function boundWait(waitMs: number): number {
  return Math.min(Math.max(Math.ceil(waitMs), 0), RETRY_AFTER_MS_MAX);
}
