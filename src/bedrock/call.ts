import type { RequestTarget } from "../http/target.ts";
import { decodePercent } from "../http/target.ts";

/** One operation of Bedrock's control plane, found by method and path. */
export type ControlCall =
  | { readonly operation: "CreateModelInvocationJob" }
  | { readonly operation: "GetModelInvocationJob"; readonly job: string }
  | { readonly operation: "StopModelInvocationJob"; readonly job: string }
  | { readonly operation: "ListModelInvocationJobs" }
  | { readonly operation: "ListTagsForResource" }
  | { readonly operation: "TagResource" }
  | { readonly operation: "UntagResource" }
  | { readonly operation: "ListFoundationModels" }
  | { readonly operation: "GetFoundationModel"; readonly model: string };

/** Where the control plane is mounted. */
export const CONTROL_PREFIX = "/bedrock";

/**
 * The operation of a request; null where there is none. Identifiers arrive as
 * one encoded segment from AWS's SDKs and with bare slashes from people, so
 * the raw path is matched first and decoded afterwards.
 *
 * @throws {GatewayError} `invalid_uri` on broken percent-encoding.
 */
export function parseControlCall(
  method: string,
  target: RequestTarget,
): ControlCall | null {
  const path = target.rawPath.slice(CONTROL_PREFIX.length)
    .replace(/(?<=.)\/$/, "");
  const fixed = FIXED[`${method} ${path}`];
  if (fixed !== undefined) return { operation: fixed };
  const job = /^\/model-invocation-job\/(.+?)(\/stop)?$/.exec(path);
  if (job !== null) {
    const identifier = decodePercent(job[1] ?? "");
    if (job[2] !== undefined) {
      if (method !== "POST") return null;
      return { operation: "StopModelInvocationJob", job: identifier };
    }
    if (method !== "GET") return null;
    return { operation: "GetModelInvocationJob", job: identifier };
  }
  const model = /^\/foundation-models\/(.+)$/.exec(path);
  if (model !== null && method === "GET") {
    const identifier = decodePercent(model[1] ?? "");
    return { operation: "GetFoundationModel", model: identifier };
  }
  return null;
}

type FixedOperation = Exclude<
  ControlCall,
  { readonly job: string } | { readonly model: string }
>["operation"];

const FIXED: Readonly<Record<string, FixedOperation>> = {
  "POST /model-invocation-job": "CreateModelInvocationJob",
  "GET /model-invocation-jobs": "ListModelInvocationJobs",
  "POST /listTagsForResource": "ListTagsForResource",
  "POST /tagResource": "TagResource",
  "POST /untagResource": "UntagResource",
  "GET /foundation-models": "ListFoundationModels",
};
