import { z } from "zod";
import { list, readBody, text } from "./constraint.ts";
import { checkTags, type Tag, tagKey, tagList } from "./create_request.ts";
import type { JobTable } from "./job_table.ts";

const resourceARN = text({ min: 20, max: 1011 });
const listSchema = z.object({ resourceARN });
const tagSchema = z.object({ resourceARN, tags: tagList });
const untagSchema = z.object({
  resourceARN,
  tagKeys: list(tagKey, { min: 0, max: 200 }),
});

export async function listTags(
  request: Request,
  table: JobTable,
): Promise<Response> {
  const { resourceARN } = await readBody(request, listSchema);
  return Response.json({ tags: table.find(resourceARN).tags });
}

/** Adds tags; one with a known key replaces the old value. */
export async function tagResource(
  request: Request,
  table: JobTable,
): Promise<Response> {
  const { resourceARN, tags } = await readBody(request, tagSchema);
  const job = table.find(resourceARN);
  const merged = [...without(job.tags, tags.map(({ key }) => key)), ...tags];
  checkTags(merged, "TooManyTagsException");
  job.tags = merged;
  table.save(job);
  return Response.json({});
}

/** Removes tags; a key that is not there is no error. */
export async function untagResource(
  request: Request,
  table: JobTable,
): Promise<Response> {
  const { resourceARN, tagKeys } = await readBody(request, untagSchema);
  const job = table.find(resourceARN);
  job.tags = without(job.tags, tagKeys);
  table.save(job);
  return Response.json({});
}

function without(tags: readonly Tag[], keys: readonly string[]): Tag[] {
  return tags.filter(({ key }) => !keys.includes(key));
}
