import { DIGITS, LETTERS, randomId } from "../simulator.ts";

/** Error types and their statuses; Anthropic API Reference, Errors. */
const STATUSES = {
  invalid_request_error: 400,
  authentication_error: 401,
  not_found_error: 404,
  request_too_large: 413,
  api_error: 500,
} as const satisfies Record<string, number>;

export type AnthropicErrorType = keyof typeof STATUSES;

const BASE62 = LETTERS + LETTERS.toUpperCase() + DIGITS;

export class AnthropicError extends Error {
  override readonly name = "AnthropicError";
  readonly type: AnthropicErrorType;

  constructor(type: AnthropicErrorType, message: string) {
    super(message);
    this.type = type;
  }

  get status(): number {
    return STATUSES[this.type];
  }

  /** The body of an error answer, and of an errored result. */
  toBody(requestId: string): unknown {
    return {
      type: "error",
      error: { type: this.type, message: this.message },
      request_id: requestId,
    };
  }
}

/** Ids of this API are a prefix, `01` and 22 letters and digits. */
export function newId(prefix: "msgbatch" | "msg" | "req"): string {
  return `${prefix}_01${randomId(22, BASE62)}`;
}
