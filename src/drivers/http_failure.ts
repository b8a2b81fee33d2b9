import { type Failure, GatewayError } from "../domain/failure.ts";
import type { UpstreamAnswer } from "./upstream_answer.ts";

/**
 * What an HTTP exchange with a provider can fail with, and how that becomes a
 * GatewayError. SDKs wrap whatever their `fetch` throws in errors of their
 * own; the UpstreamError is found again on the chain of causes, so that every
 * SDK and every plain request is judged by the same table.
 */

/** A provider as its failures are told. */
export interface Upstream {
  /** As people write it, such as "OpenAI". */
  readonly name: string;
  /** Never quoted, wherever the provider repeats them. */
  readonly secrets: readonly string[];
  /** What the provider takes at most in one body. */
  readonly bodyBytesMax: number;
  /** Whether waiting a little would not help: the account's quota is used up. */
  isQuotaExhausted(answer: UpstreamAnswer): boolean;
}

export type UpstreamFault =
  | { readonly kind: "answer"; readonly answer: UpstreamAnswer }
  | { readonly kind: "connection" }
  | { readonly kind: "timeout" }
  | { readonly kind: "oversize"; readonly bytesMax: number };

/** Thrown by the fetches of `http_client.ts`; never leaves a driver. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";
  readonly fault: UpstreamFault;

  constructor(fault: UpstreamFault, options?: ErrorOptions) {
    // OpenAI's SDK searches messages for "timeout" and then drops the cause.
    super(`upstream fault: ${fault.kind === "timeout" ? "late" : fault.kind}`, {
      ...options,
    });
    this.fault = fault;
  }
}

const MESSAGE_LENGTH_MAX = 1_000;
/** Shorter ones are placeholders, and occur in ordinary words. */
const SECRET_LENGTH_MIN = 6;
const CAUSE_DEPTH_MAX = 8;

/** What a request that got no answer failed with. */
export function connectionError(
  cause: unknown,
  signal: AbortSignal | null,
): UpstreamError {
  if (cause instanceof UpstreamError) return cause;
  const late = signal?.aborted === true ||
    (cause instanceof Error && cause.name === "TimeoutError");
  return new UpstreamError({ kind: late ? "timeout" : "connection" }, {
    cause,
  });
}

/**
 * The GatewayError for whatever a provider call threw.
 *
 * @param missing What a 404 says about this call.
 */
export function toGatewayError(
  upstream: Upstream,
  error: unknown,
  missing: Failure,
): GatewayError {
  const root = rootOf(error);
  if (root instanceof GatewayError) return root;
  const name = upstream.name;
  if (!(root instanceof UpstreamError)) {
    return isAbort(error) ? lateError(name, error) : new GatewayError(
      { kind: "upstream_failed" },
      `${name}'s answer could not be read.`,
      { cause: error },
    );
  }
  const { fault } = root;
  switch (fault.kind) {
    case "answer":
      return new GatewayError(
        toFailure(upstream, fault.answer, missing),
        toMessage(upstream, fault.answer),
        { cause: error },
      );
    case "connection":
      return new GatewayError(
        { kind: "upstream_unavailable" },
        `The connection to ${name} failed.`,
        { cause: error },
      );
    case "timeout":
      return lateError(name, error);
    case "oversize":
      return new GatewayError(
        { kind: "upstream_failed" },
        `${name} answered with more than ${fault.bytesMax} bytes.`,
        { cause: error },
      );
  }
}

/** The error answer inside whatever a provider call threw, if there is one. */
export function upstreamAnswerOf(error: unknown): UpstreamAnswer | null {
  const fault = causesOf(error).find((cause) => cause instanceof UpstreamError)
    ?.fault;
  return fault?.kind === "answer" ? fault.answer : null;
}

/** What a driver, or its connection, threw before an SDK wrapped it. */
function rootOf(error: unknown): GatewayError | UpstreamError | null {
  return causesOf(error).find((cause) =>
    cause instanceof GatewayError || cause instanceof UpstreamError
  ) ?? null;
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  let current = error;
  while (current instanceof Error && causes.length < CAUSE_DEPTH_MAX) {
    causes.push(current);
    current = current.cause;
  }
  return causes;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error &&
    /^(AbortError|TimeoutError)\b|aborted|timed out/i.test(
      `${error.name} ${error.message}`,
    );
}

function lateError(name: string, cause: unknown): GatewayError {
  return new GatewayError(
    { kind: "upstream_timeout" },
    `${name} did not answer in time.`,
    { cause },
  );
}

function toFailure(
  upstream: Upstream,
  answer: UpstreamAnswer,
  missing: Failure,
): Failure {
  const { status } = answer;
  if (isCredentialFailure(answer)) return { kind: "access_denied" };
  if (status === 402) return { kind: "quota_exceeded" };
  if (status === 404) return missing;
  if (status === 408 || status === 504) return { kind: "upstream_timeout" };
  if (status === 409) return { kind: "conflict" };
  if (status === 413) {
    return { kind: "entity_too_large", bytesMax: upstream.bodyBytesMax };
  }
  if (status === 429) {
    if (upstream.isQuotaExhausted(answer)) return { kind: "quota_exceeded" };
    return answer.retryAfterMs === null
      ? { kind: "rate_limited" }
      : { kind: "rate_limited", retryAfterMs: answer.retryAfterMs };
  }
  if (status === 501) return { kind: "unsupported" };
  if (status === 503 || status === 529) return { kind: "upstream_unavailable" };
  if (status >= 400 && status < 500) return { kind: "invalid_request" };
  return { kind: "upstream_failed", status };
}

/** Google answers 400 with this reason where others answer 401. */
function isCredentialFailure(answer: UpstreamAnswer): boolean {
  return answer.status === 401 || answer.status === 403 ||
    answer.codes.includes("API_KEY_INVALID");
}

function toMessage(upstream: Upstream, answer: UpstreamAnswer): string {
  // What providers say about a bad key often repeats part of it.
  if (answer.status !== 403 && isCredentialFailure(answer)) {
    return `${upstream.name} refused the gateway's credentials.`;
  }
  const said = answer.message === null
    ? ""
    : quoteUpstream(upstream, answer.message);
  return said === ""
    ? `${upstream.name} answered with HTTP status ${answer.status}.`
    : `${upstream.name}: ${said}`;
}

/** A provider's own words, fit to be shown: one line, bounded, no secrets. */
export function quoteUpstream(upstream: Upstream, text: string): string {
  let quoted = text;
  for (const secret of upstream.secrets) {
    if (secret.length >= SECRET_LENGTH_MIN) {
      quoted = quoted.replaceAll(secret, "[key]");
    }
  }
  quoted = quoted
    .replace(/\b(?:sk-|AIza)[\w*.-]{4,}/g, "[key]")
    .replace(/\bBearer\s+[\w*.~+/=-]{8,}/gi, "Bearer [key]")
    // deno-lint-ignore no-control-regex -- exactly these must not pass
    .replace(/[\u0000-\u001f\u007f]+/g, " ")
    .trim();
  return quoted.length <= MESSAGE_LENGTH_MAX
    ? quoted
    : `${quoted.slice(0, MESSAGE_LENGTH_MAX - 1)}…`;
}
