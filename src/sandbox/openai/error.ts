import { randomId } from "../simulator.ts";

/** What the API answers with; see "Error codes" in OpenAI's API guide. */
export interface OpenAiFailure {
  readonly status: number;
  readonly message: string;
  readonly type?: string;
  readonly param?: string | null;
  readonly code?: string | null;
}

export class OpenAiError extends Error {
  override readonly name = "OpenAiError";
  readonly failure: OpenAiFailure;

  constructor(failure: OpenAiFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The body of an error answer, and of a failed record in a batch. */
export function errorBody(failure: OpenAiFailure): unknown {
  return {
    error: {
      message: failure.message,
      type: failure.type ?? "invalid_request_error",
      param: failure.param ?? null,
      code: failure.code ?? null,
    },
  };
}

export function newRequestId(): string {
  return `req_${randomId(32, "0123456789abcdef")}`;
}
