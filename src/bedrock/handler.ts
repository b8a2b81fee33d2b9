import { createHash } from "node:crypto";
import type { Authenticator } from "../auth/authenticator.ts";
import type { CallContext } from "../domain/context.ts";
import { GatewayError } from "../domain/failure.ts";
import type { JobService } from "../domain/jobs/job_service.ts";
import type { ProviderName } from "../domain/provider.ts";
import type { Providers } from "../domain/providers.ts";
import { readBoundedBody } from "../http/bounded_body.ts";
import type { RequestBase } from "../http/request_base.ts";
import { errorFields, type Log } from "../telemetry/log.ts";
import { type ControlCall, parseControlCall } from "./call.ts";
import { renderError, unknownOperation } from "./errors.ts";
import { OPERATIONS } from "./operations.ts";

/** Far above what the model's bounds allow, and within one KV value. */
const BODY_BOUNDS = { bytesMax: 48 * 1024, idleMs: 30_000 };

export interface ControlDeps {
  readonly authenticator: Authenticator;
  readonly providers: Providers;
  readonly jobs: JobService;
  readonly defaultRegion: string;
  readonly log: Log;
}

/** One verified call, as the operations see it. */
export interface VerifiedCall<C extends ControlCall = ControlCall> {
  readonly call: C;
  readonly context: CallContext;
  readonly query: RequestBase["target"]["query"];
  /** Parsed; `{}` where the body was empty. */
  json(): unknown;
  /** The provider that the header, the credential or the default names. */
  provider(): ProviderName;
}

/** Bedrock's control plane: one request in, one JSON answer out. Never rejects. */
export async function handleControl(
  request: Request,
  base: RequestBase,
  deps: ControlDeps,
): Promise<Response> {
  const response = await answer(request, base, deps).catch((error) => {
    if (!(error instanceof GatewayError)) {
      deps.log.error("unforeseen failure", {
        requestId: base.requestId,
        ...errorFields(error),
      });
    } else if (error.cause !== undefined) {
      deps.log.debug("call failed", {
        requestId: base.requestId,
        ...errorFields(error),
      });
    }
    return renderError(error);
  });
  response.headers.set("x-amzn-requestid", base.requestId);
  return response;
}

async function answer(
  request: Request,
  base: RequestBase,
  deps: ControlDeps,
): Promise<Response> {
  const call = parseControlCall(request.method, base.target);
  const body = await readBoundedBody(request, BODY_BOUNDS);
  const { principal, region } = await deps.authenticator.authenticate(
    { method: request.method, headers: request.headers, target: base.target },
    {
      kind: "bedrock",
      bodySha256Hex: createHash("sha256").update(body).digest("hex"),
    },
  );
  base.note({ tenant: principal.tenant });
  if (call === null) return unknownOperation();
  base.note({ operation: call.operation });
  const context: CallContext = {
    requestId: base.requestId,
    principal,
    signal: base.signal,
    region: region ?? deps.defaultRegion,
  };
  const header = request.headers.get("x-model-provider");
  const verified: VerifiedCall = {
    call,
    context,
    query: base.target.query,
    json: () => parseJson(body),
    provider: () => {
      const provider = deps.providers.choose({
        header,
        bucket: null,
        principal,
      });
      base.note({ provider });
      return provider;
    },
  };
  const result = await OPERATIONS[call.operation](verified, deps);
  return Response.json(result);
}

function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new GatewayError(
      { kind: "malformed_json" },
      "The request's body is not valid JSON.",
      { cause },
    );
  }
}
