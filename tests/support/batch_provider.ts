import { z } from "zod";
import type { ProxiedRequest } from "./cutting_proxy.ts";

export type BatchProviderName = "bedrock" | "openai" | "gemini";

/** A provider with batches, as tests see it past the gateway. */
export interface BatchProvider {
  readonly name: BatchProviderName;
  readonly modelId: string;
  readonly inputBucket: string;
  readonly outputBucket: string;
  /** The variable that leads the gateway to another server. */
  readonly urlVariable: string;
  /** A record in the provider's own format. */
  toRecord(recordId: string): unknown;
  /** The record that a result line answers. */
  recordIdOf(line: unknown): unknown;
  isCreation(request: ProxiedRequest): boolean;
  /** Whether it asks for result lines; null where nobody fetches them. */
  readonly isResultRead: ((request: ProxiedRequest) => boolean) | null;
  /** The job name in a creation's body. */
  nameIn(body: string): string | null;
  /** Every batch that the provider's own list shows, newest first. */
  listBatches(url: string): Promise<NativeBatch[]>;
}

export interface NativeBatch {
  /** As the gateway takes it for a job identifier. */
  readonly id: string;
  readonly jobName: string;
}

const TEXT = "What is one and one? Answer briefly.";
const PAGES_MAX = 100;

const bedrockPage = z.object({
  invocationJobSummaries: z.array(
    z.object({ jobArn: z.string(), jobName: z.string() }),
  ),
  nextToken: z.string().optional(),
});

const BEDROCK: BatchProvider = {
  name: "bedrock",
  modelId: "anthropic.claude-3-sonnet-20240229-v1:0",
  inputBucket: "your-s3-bucket",
  outputBucket: "your-s3-bucket",
  urlVariable: "AWS_ENDPOINT_URL_BEDROCK",
  toRecord: (recordId) => ({
    recordId,
    modelInput: { messages: [{ role: "user", content: [{ text: TEXT }] }] },
  }),
  recordIdOf: (line) => z.object({ recordId: z.string() }).parse(line).recordId,
  isCreation: ({ method, path }) =>
    method === "POST" && path === "/model-invocation-job",
  isResultRead: null,
  nameIn: (body) => /"jobName":"([^"]*)"/.exec(body)?.[1] ?? null,
  listBatches: (url) =>
    readPages(async (token) => {
      const page = bedrockPage.parse(
        await readJson(
          `${url}/model-invocation-jobs?maxResults=1000&${
            queryOf("nextToken", token)
          }`,
          { authorization: "Credential=tests" },
        ),
      );
      const batches = page.invocationJobSummaries
        .map(({ jobArn, jobName }) => ({ id: jobArn, jobName }));
      return { batches, token: page.nextToken ?? null };
    }),
};

const openAiPage = z.object({
  data: z.array(z.object({
    id: z.string(),
    metadata: z.object({ finops_job_name: z.string() }),
  })),
  has_more: z.boolean(),
});

const OPENAI: BatchProvider = {
  name: "openai",
  modelId: "gpt-4o-mini",
  inputBucket: "openai-files",
  outputBucket: "openai-output",
  urlVariable: "OPENAI_BASE_URL",
  toRecord: (recordId) => ({
    custom_id: recordId,
    method: "POST",
    url: "/v1/chat/completions",
    body: {
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: TEXT }],
      max_tokens: 100,
    },
  }),
  recordIdOf: (line) =>
    z.object({ custom_id: z.string() }).parse(line).custom_id,
  isCreation: ({ method, path }) => method === "POST" && path === "/v1/batches",
  isResultRead: ({ method, path }) =>
    method === "GET" && path.endsWith("/content"),
  nameIn: (body) => /"finops_job_name":"([^"]*)"/.exec(body)?.[1] ?? null,
  listBatches: (url) =>
    readPages(async (token) => {
      const page = openAiPage.parse(
        await readJson(
          `${url}/batches?limit=100&${queryOf("after", token)}`,
          { authorization: "Bearer tests" },
        ),
      );
      const batches = page.data.map(({ id, metadata }) => ({
        id,
        jobName: metadata.finops_job_name,
      }));
      const last = batches.at(-1)?.id ?? null;
      return { batches, token: page.has_more ? last : null };
    }),
};

const geminiPage = z.object({
  operations: z.array(z.object({
    name: z.string(),
    metadata: z.object({ displayName: z.string() }),
  })).default([]),
  nextPageToken: z.string().optional(),
});

const GEMINI: BatchProvider = {
  name: "gemini",
  modelId: "gemini-1.5-flash",
  inputBucket: "gemini-files",
  outputBucket: "gemini-output",
  urlVariable: "GOOGLE_GEMINI_BASE_URL",
  toRecord: (recordId) => ({
    key: recordId,
    request: { contents: [{ role: "user", parts: [{ text: TEXT }] }] },
  }),
  recordIdOf: (line) => z.object({ key: z.string() }).parse(line).key,
  isCreation: ({ method, path }) =>
    method === "POST" && path.endsWith(":batchGenerateContent"),
  isResultRead: ({ method, path }) =>
    method === "GET" && path.includes(":download"),
  nameIn: (body) => /"displayName":"([^" ]*)/.exec(body)?.[1] ?? null,
  listBatches: (url) =>
    readPages(async (token) => {
      const page = geminiPage.parse(
        await readJson(
          `${url}/v1beta/batches?pageSize=100&${queryOf("pageToken", token)}`,
          { "x-goog-api-key": "tests" },
        ),
      );
      const batches = page.operations.map(({ name, metadata }) => ({
        id: name.slice(name.lastIndexOf("/") + 1),
        jobName: metadata.displayName.split(" ")[0] ?? "",
      }));
      return { batches, token: page.nextPageToken ?? null };
    }),
};

export const BATCH_PROVIDERS: readonly BatchProvider[] = [
  BEDROCK,
  OPENAI,
  GEMINI,
];

interface Page {
  readonly batches: readonly NativeBatch[];
  readonly token: string | null;
}

async function readPages(
  readPage: (token: string | null) => Promise<Page>,
): Promise<NativeBatch[]> {
  const batches: NativeBatch[] = [];
  let token: string | null = null;
  for (let page = 1; page <= PAGES_MAX; page++) {
    const read: Page = await readPage(token);
    batches.push(...read.batches);
    token = read.token;
    if (token === null) return batches;
  }
  throw new Error(`A list has more than ${PAGES_MAX} pages.`);
}

async function readJson(
  url: string,
  headers: Record<string, string>,
): Promise<unknown> {
  const response = await fetch(url, { headers });
  if (response.ok) return await response.json();
  throw new Error(`${url}: ${response.status} ${await response.text()}`);
}

function queryOf(name: string, token: string | null): string {
  return token === null ? "" : `${name}=${encodeURIComponent(token)}`;
}
