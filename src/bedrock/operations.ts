import { z } from "zod";
import { GatewayError } from "../domain/failure.ts";
import type { ControlCall } from "./call.ts";
import type { ControlDeps, VerifiedCall } from "./handler.ts";
import { parseCreateJob, parseListJobs, tagList } from "./job_request.ts";
import { renderJob, renderJobPage } from "./job_response.ts";
import { parseMembers } from "./members.ts";
import { filterModels, renderModel } from "./models.ts";

type Operation = (
  verified: VerifiedCall,
  deps: ControlDeps,
) => Promise<Record<string, unknown>>;

/** Every operation of the control plane; a missing one fails the type check. */
export const OPERATIONS: Record<ControlCall["operation"], Operation> = {
  async CreateModelInvocationJob({ context, json, provider }, { jobs }) {
    const job = await jobs.create(context, provider(), parseCreateJob(json()));
    return { jobArn: job.arn };
  },

  async GetModelInvocationJob(verified, { jobs }) {
    const job = await jobs.get(verified.context, {
      identifier: jobIdentifier(verified.call),
      fallback: verified.provider,
    });
    return renderJob(job);
  },

  async StopModelInvocationJob(verified, { jobs }) {
    await jobs.stop(verified.context, {
      identifier: jobIdentifier(verified.call),
      fallback: verified.provider,
    });
    return {};
  },

  async ListModelInvocationJobs({ context, query, provider }, { jobs }) {
    const page = await jobs.list(context, provider(), parseListJobs(query));
    return renderJobPage(page);
  },

  async ListTagsForResource({ context, json, provider }, { jobs }) {
    const { resourceARN } = parseMembers(resourceShape, json());
    const tags = await jobs.tags(context, {
      identifier: jobOfResource(resourceARN),
      fallback: provider,
    });
    return { tags };
  },

  async TagResource({ context, json, provider }, { jobs }) {
    const { resourceARN, tags } = parseMembers(tagShape, json());
    const identifier = jobOfResource(resourceARN);
    await jobs.tag(context, { identifier, fallback: provider }, tags);
    return {};
  },

  async UntagResource({ context, json, provider }, { jobs }) {
    const { resourceARN, tagKeys } = parseMembers(untagShape, json());
    const identifier = jobOfResource(resourceARN);
    await jobs.untag(context, { identifier, fallback: provider }, tagKeys);
    return {};
  },

  async ListFoundationModels({ context, query, provider }, deps) {
    const { models } = await deps.providers.driver(provider());
    const found = filterModels(await models.listModels(context), query);
    return {
      modelSummaries: found.map((model) => renderModel(model, context.region)),
    };
  },

  async GetFoundationModel({ call, context, provider }, deps) {
    const modelId = "model" in call ? call.model : "";
    const { models } = await deps.providers.driver(provider());
    const model = await models.getModel(context, modelId);
    return { modelDetails: renderModel(model, context.region) };
  },
};

const resourceShape = z.object({
  resourceARN: z.string().min(20).max(1011),
});
const tagShape = resourceShape.extend({ tags: tagList });
const untagShape = resourceShape.extend({
  tagKeys: z.array(z.string().min(1).max(128)).max(200),
});

function jobIdentifier(call: ControlCall): string {
  return "job" in call ? call.job : "";
}

/** Jobs are the only resources here that carry tags. */
function jobOfResource(arn: string): string {
  if (/^arn:[^:]+:bedrock:[^:]*:\d{12}:model-invocation-job\/.+$/.test(arn)) {
    return arn;
  }
  throw new GatewayError(
    { kind: "invalid_request" },
    "resourceARN is not the ARN of a model invocation job.",
  );
}
