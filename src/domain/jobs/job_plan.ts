import { z } from "zod";
import { inferInvocationType } from "../../records/invocation_type.ts";
import type { CallContext } from "../context.ts";
import type { BatchApi, ObjectStorage, ProviderDriver } from "../driver.ts";
import { GatewayError } from "../failure.ts";
import type { InputFile } from "../files/input_files.ts";
import type { ProviderName } from "../provider.ts";
import { readFirstRecord } from "./first_record.ts";
import { type JobPlan, type JobRequest, parseS3Uri } from "./job.ts";
import { batchApi, type JobDeps } from "./job_deps.ts";

/** How long a file that the provider still processes is waited for. */
const READY_TIMEOUT_MS = 30_000;

/** What OpenAI's batches default to; see the Batch API guide. */
const DEFAULT_ENDPOINT = "/v1/chat/completions";

/** `/v1/batches` takes these; see BatchCreateParams in the openai package. */
const ENDPOINTS = [
  "/v1/responses",
  "/v1/chat/completions",
  "/v1/embeddings",
  "/v1/completions",
  "/v1/moderations",
  "/v1/images/generations",
  "/v1/images/edits",
  "/v1/videos",
];

/**
 * Finds a job's input and reads from its first record what the request left
 * open. Nothing has been sent to the provider yet when this rejects.
 */
export async function planJob(
  call: CallContext,
  provider: ProviderName,
  request: JobRequest,
  deps: JobDeps,
): Promise<JobPlan> {
  const driver = await deps.providers.driver(provider);
  if (driver.storage.kind === "objects") {
    return await planObjectJob(call, request, driver.storage);
  }
  const file = await findInputFile(call, provider, request, deps);
  checkInputFile(file, driver, await batchApi(deps, provider));
  await deps.inputs.waitUntilReady(
    call,
    provider,
    file.fileId,
    READY_TIMEOUT_MS,
  );
  const endpoint = provider === "openai"
    ? await chooseEndpoint(call, file, request, deps)
    : null;
  return {
    input: { kind: "file", fileId: file.fileId },
    endpoint,
    modelInvocationType: request.modelInvocationType,
  };
}

/** Bedrock reads the object itself; only its first record is of interest. */
async function planObjectJob(
  call: CallContext,
  request: JobRequest,
  storage: ObjectStorage,
): Promise<JobPlan> {
  const modelInvocationType = request.modelInvocationType ??
    await inferFromObject(call, request.inputUri, storage);
  return {
    input: { kind: "object", s3Uri: request.inputUri },
    endpoint: null,
    modelInvocationType,
  };
}

async function inferFromObject(
  call: CallContext,
  inputUri: string,
  storage: ObjectStorage,
): Promise<JobPlan["modelInvocationType"]> {
  const address = parseS3Uri(inputUri);
  if (address === null) return null;
  try {
    const key = await firstObjectKey(call, address, storage);
    const object = { bucket: address.bucket, key };
    return inferInvocationType(
      await readFirstRecord(await storage.openObject(call, object)),
    );
  } catch (error) {
    // What Bedrock cannot read either, Bedrock refuses in its own words.
    if (error instanceof GatewayError) return null;
    throw error;
  }
}

/** A prefix stands for every `.jsonl` object below it. */
async function firstObjectKey(
  call: CallContext,
  address: { readonly bucket: string; readonly key: string },
  storage: ObjectStorage,
): Promise<string> {
  if (address.key !== "" && !address.key.endsWith("/")) return address.key;
  for await (const object of storage.listObjects(call, address)) {
    if (object.key.endsWith(".jsonl")) return object.key;
  }
  return address.key;
}

/** The first that applies; the sentence of a refusal names what was tried. */
async function findInputFile(
  call: CallContext,
  provider: ProviderName,
  request: JobRequest,
  deps: JobDeps,
): Promise<InputFile> {
  const tried: string[] = [];
  const tag = request.tags.find(({ key }) => key === "file_id")?.value;
  if (tag !== undefined && tag !== "") {
    tried.push(`the tag file_id "${tag}"`);
    const file = await deps.inputs.findFile(call, provider, tag);
    if (file !== null) return file;
  }
  const address = parseS3Uri(request.inputUri);
  if (address === null) throw notAnS3Uri("inputDataConfig", request.inputUri);
  tried.push(`the object ${request.inputUri}`);
  const named = await deps.inputs.findInput(call, provider, address);
  if (named !== null) return named;
  if (deps.providers.mappedBucket(address.bucket) === "bedrock") {
    throw inRealS3(request.inputUri, provider);
  }
  const tail = address.key.split("/").at(-1) ?? "";
  if (tail !== "") {
    tried.push(`the ${provider} file id "${tail}"`);
    const file = await deps.inputs.findFile(call, provider, tail);
    if (file !== null) return file;
  }
  throw new GatewayError(
    { kind: "invalid_request" },
    `The input of the job was not found for ${provider}; tried ${
      tried.join(", then ")
    }. Upload it with put_object and the same x-model-provider first.`,
  );
}

export function notAnS3Uri(member: string, uri: string): GatewayError {
  return new GatewayError(
    { kind: "invalid_request" },
    `${member}: "${uri.slice(0, 200)}" is not an s3://bucket/key URI.`,
  );
}

function inRealS3(uri: string, provider: ProviderName): GatewayError {
  return new GatewayError(
    { kind: "invalid_request" },
    `${uri} is in real S3; this version does not run it on ${provider} yet. ` +
      `Upload it with x-model-provider: ${provider}.`,
  );
}

function checkInputFile(
  file: InputFile,
  driver: ProviderDriver,
  batches: BatchApi,
): void {
  const name = `The input ${file.fileId}`;
  const problem = file.sizeBytes === 0
    ? `${name} is empty; a job needs at least one record.`
    : file.heldBy === "gateway"
    ? `${name} holds records in the ${file.format ?? "wrong"} format, which ` +
      `this version does not translate for ${driver.provider} yet.`
    : file.sizeBytes > batches.inputBytesMax
    ? `${name} has ${file.sizeBytes} bytes; ${driver.provider} takes at ` +
      `most ${batches.inputBytesMax} for a job.`
    : null;
  if (problem !== null) {
    throw new GatewayError({ kind: "invalid_request" }, problem);
  }
}

const openAiRecord = z.object({ url: z.string().max(200) });

/** The tag, or the records' own url; both together must agree. */
async function chooseEndpoint(
  call: CallContext,
  file: InputFile,
  request: JobRequest,
  deps: JobDeps,
): Promise<string> {
  const tag = request.tags.find(({ key }) => key === "endpoint")?.value ?? "";
  const url = await firstUrl(call, file, deps);
  if (tag !== "" && !ENDPOINTS.includes(tag)) {
    throw new GatewayError(
      { kind: "invalid_request" },
      `The tag endpoint "${tag}" is none of: ${ENDPOINTS.join(", ")}.`,
    );
  }
  if (tag !== "" && url !== null && tag !== url) {
    throw new GatewayError(
      { kind: "invalid_request" },
      `The tag endpoint is ${tag}, but the first record's url is ${url}; ` +
        "make them agree, or leave the tag out.",
    );
  }
  return tag !== "" ? tag : url ?? DEFAULT_ENDPOINT;
}

async function firstUrl(
  call: CallContext,
  file: InputFile,
  deps: JobDeps,
): Promise<string | null> {
  try {
    const stream = await deps.inputs.openInput(call, "openai", file);
    const parsed = openAiRecord.safeParse(await readFirstRecord(stream));
    return parsed.success ? parsed.data.url : null;
  } catch (error) {
    // A file of a purpose that is not handed back can still be run.
    if (error instanceof GatewayError) return null;
    throw error;
  }
}
