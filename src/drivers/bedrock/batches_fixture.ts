import type {
  BatchOrder,
  BedrockOrder,
  DriverCall,
} from "../../domain/driver.ts";
import { type BedrockDriver, createBedrockDriver } from "./driver.ts";

export const ROLE = "arn:aws:iam::123456789012:role/batch";
export const ARN =
  "arn:aws:bedrock:us-west-2:123456789012:model-invocation-job/abcdefghijkl";

export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly body: unknown;
}

export interface BatchScene {
  readonly driver: BedrockDriver;
  /** Every request that Bedrock got, in order. */
  readonly asked: readonly Asked[];
}

/** The driver before a control plane that answers what it is told to. */
export function batchTest(
  name: string,
  answer: (asked: Asked, index: number) => Response,
  check: (scene: BatchScene) => Promise<void>,
  batchRoleArn: string | null = ROLE,
): void {
  Deno.test({
    name: `Bedrock batches: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const asked: Asked[] = [];
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async (request) => {
          const text = await request.text();
          asked.push({
            method: request.method,
            target: request.url.slice(new URL(request.url).origin.length),
            body: text === "" ? null : JSON.parse(text),
          });
          return answer(asked[asked.length - 1] ?? EMPTY, asked.length - 1);
        },
      );
      const driver = createBedrockDriver({
        region: "us-west-2",
        s3Endpoint: null,
        bedrockEndpoint: `http://127.0.0.1:${server.addr.port}`,
        batchRoleArn,
        credentials: { accessKeyId: "AKIDGATEWAY", secretAccessKey: "secret" },
      });
      try {
        await check({ driver, asked });
      } finally {
        driver.close();
      }
    },
  });
}

const EMPTY: Asked = { method: "", target: "", body: null };

/** What Bedrock cannot do without. */
export const PLAIN: BedrockOrder = {
  clientRequestToken: "token-1",
  outputUri: "s3://out/results/",
  inputBucketOwner: null,
  outputBucketOwner: null,
  outputEncryptionKeyId: null,
  vpcConfig: null,
  timeoutDurationInHours: null,
  modelInvocationType: null,
  tags: [],
};

/** `PLAIN` in an order, as Bedrock gets it. */
export const PLAIN_WIRE = {
  jobName: "night",
  modelId: "anthropic.claude-3-haiku-20240307-v1:0",
  roleArn: ROLE,
  clientRequestToken: "token-1",
  inputDataConfig: {
    s3InputDataConfig: { s3Uri: "s3://in/a.jsonl", s3InputFormat: "JSONL" },
  },
  outputDataConfig: { s3OutputDataConfig: { s3Uri: "s3://out/results/" } },
};

export const ORDER: BatchOrder = {
  jobId: "abcdefghijkl",
  jobName: "night",
  modelId: PLAIN_WIRE.modelId,
  input: { kind: "object", s3Uri: "s3://in/a.jsonl" },
  endpoint: null,
  bedrock: PLAIN,
};

export function newCall(): DriverCall {
  return { requestId: "r", signal: new AbortController().signal };
}
