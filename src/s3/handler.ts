import type { Authenticator } from "../auth/authenticator.ts";
import type { CallContext, Principal } from "../domain/context.ts";
import type { CopySources } from "../domain/copies/copy_sources.ts";
import type { ProviderDriver } from "../domain/driver.ts";
import { GatewayError } from "../domain/failure.ts";
import type { FileObjects } from "../domain/object.ts";
import type { ProviderName } from "../domain/provider.ts";
import type { Uploads } from "../domain/uploads/uploads.ts";
import type { RequestTarget } from "../http/target.ts";
import { errorFields, type Log } from "../telemetry/log.ts";
import { bodySizeBytes, type S3Answer } from "./answer.ts";
import { parseS3Call, type S3Call } from "./call.ts";
import { copyIntoS3, isFromElsewhere } from "./copies_into_s3.ts";
import { describeError, errorAnswer } from "./error_answer.ts";
import type { S3Exchange } from "./exchange.ts";
import { serveFromFiles } from "./file_operations.ts";
import { forwardCall } from "./forward.ts";
import { withQueryHeaders } from "./query_headers.ts";
import { refusePreflight } from "./preflight.ts";
import { RequestBody } from "./request_body.ts";
import { type ResponseFacts, toResponse } from "./response.ts";

export interface S3Deps {
  readonly authenticator: Authenticator;
  readonly files: FileObjects;
  readonly uploads: Uploads;
  readonly sources: CopySources;
  /**
   * Which driver serves this call. Rejects with a failure that names the
   * choices for a provider that is unknown or not configured.
   */
  resolveDriver(input: {
    readonly headers: Headers;
    readonly principal: Principal;
    readonly bucket: string | null;
  }): Promise<ProviderDriver>;
  /** For calls whose signature names no region. */
  readonly defaultRegion: string;
  /** Buckets that the configuration maps to a provider; none by default. */
  bucketsOf?(provider: ProviderName): readonly string[];
  readonly log?: Log;
  readonly limits?: Partial<S3Limits>;
}

export interface S3Limits {
  /** How long a client may send nothing in the middle of a body. */
  readonly requestIdleMs: number;
  /** How long a client may leave an answer's body unread. */
  readonly responseStallMs: number;
}

const LIMITS: S3Limits = { requestIdleMs: 60_000, responseStallMs: 300_000 };

/** What the router knows of a request before anyone looked at it. */
export interface S3RequestBase {
  readonly requestId: string;
  /** Aborted when the client is gone or the call's time is up. */
  readonly signal: AbortSignal;
  readonly target: RequestTarget;
  /** Adds fields to the request's line in the access log. */
  note(fields: Record<string, string | number>): void;
}

/** Serves one request under `/bedrock/files`. Never rejects. */
export async function handleS3(
  request: Request,
  base: S3RequestBase,
  deps: S3Deps,
): Promise<Response> {
  const { requestIdleMs } = { ...LIMITS, ...deps.limits };
  const body = new RequestBody(request.body, requestIdleMs);
  try {
    const answer = await serve(request, body, base, deps);
    base.note(notesOf(answer));
    return toResponse(answer, responseFacts(request, base, deps));
  } catch (error) {
    const answer = answerError(error, request, base, deps);
    return toResponse(answer, responseFacts(request, base, deps));
  } finally {
    await body.settle();
    base.note({ requestBytes: body.sizeBytes });
  }
}

function responseFacts(
  request: Request,
  base: S3RequestBase,
  deps: S3Deps,
): ResponseFacts {
  const { responseStallMs } = { ...LIMITS, ...deps.limits };
  return {
    method: request.method,
    requestId: base.requestId,
    stallMs: responseStallMs,
    // A client that is gone ends its answer's source, which is no fault.
    report: (error) => {
      if (!base.signal.aborted) reportError(error, base, deps);
    },
  };
}

function notesOf(answer: S3Answer): Record<string, string | number> {
  const { upstreamRequestId } = answer;
  const responseBytes = bodySizeBytes(answer.body);
  return {
    ...(responseBytes === null ? {} : { responseBytes }),
    ...(upstreamRequestId === undefined ? {} : { upstreamRequestId }),
  };
}

/** The fixed order: call, authentication, provider, operation. */
async function serve(
  request: Request,
  body: RequestBody,
  base: S3RequestBase,
  deps: S3Deps,
): Promise<S3Answer> {
  const { target, requestId, signal } = base;
  if (request.method === "OPTIONS") return answerPreflight(request, base);
  const headers = withQueryHeaders(request.headers, target.query);
  const call = parseS3Call(request.method, target, headers);
  base.note({ operation: call.operation });
  const { principal, region, chunkSigner } = await deps.authenticator
    .authenticate(
      { method: request.method, headers: request.headers, target },
      { kind: "s3" },
    );
  base.note({ tenant: principal.tenant });
  const context: CallContext = {
    requestId,
    principal,
    signal,
    region: region ?? deps.defaultRegion,
  };
  const exchange = { context, headers, body, chunkSigner };
  return await dispatch(exchange, call, base, deps);
}

async function dispatch(
  exchange: S3Exchange,
  call: S3Call,
  base: S3RequestBase,
  deps: S3Deps,
): Promise<S3Answer> {
  const driver = await deps.resolveDriver({
    headers: exchange.headers,
    principal: exchange.context.principal,
    bucket: call.bucket,
  });
  const { provider, storage } = driver;
  base.note({ provider });
  if (storage.kind === "none") {
    throw new GatewayError({ kind: "unsupported" }, storage.reason);
  }
  if (call.scope === "refused") {
    throw new GatewayError(call.failure, call.message);
  }
  const { files, uploads, sources } = deps;
  if (storage.kind === "objects") {
    return call.scope === "object" && isFromElsewhere(exchange, call, sources)
      ? await copyIntoS3(exchange, call, { storage, sources })
      : await forwardCall(exchange, storage, call);
  }
  return await serveFromFiles({
    ...exchange,
    provider,
    storage,
    files,
    uploads,
    sources,
    buckets: deps.bucketsOf?.(provider) ?? [],
    report: (error) => reportError(error, base, deps),
  }, call);
}

// ----------------------------------------------------------------- errors

/** Browsers do not sign what they ask before a request. */
function answerPreflight(
  { headers }: Request,
  { target, requestId, note }: S3RequestBase,
): S3Answer {
  const error = refusePreflight(headers);
  note({ operation: "Preflight", errorCode: error.code });
  return errorAnswer({ error, target, headers, requestId });
}

function answerError(
  thrown: unknown,
  request: Request,
  base: S3RequestBase,
  deps: S3Deps,
): S3Answer {
  const error = describeError(thrown);
  const isFault = error.status >= 500 && error.status !== 501;
  if (isFault && !base.signal.aborted) reportError(thrown, base, deps);
  base.note({ errorCode: error.code });
  const { target, requestId } = base;
  return errorAnswer({ error, target, headers: request.headers, requestId });
}

function reportError(
  error: unknown,
  { requestId }: S3RequestBase,
  { log }: S3Deps,
): void {
  const fields = { requestId, ...errorFields(error) };
  if (error instanceof GatewayError) log?.warn("s3 call failed", fields);
  else log?.error("s3 call failed unforeseen", fields);
}
