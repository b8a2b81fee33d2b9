import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ConfigError, type Platform, readConfig } from "./config.ts";
import type { Environment } from "./environment.ts";

const LAPTOP: Platform = {
  denoDeploy: false,
  canWriteFiles: true,
  readFile: () => {
    throw new Deno.errors.NotFound("no such file");
  },
};
const DEPLOY: Platform = {
  ...LAPTOP,
  denoDeploy: true,
  canWriteFiles: false,
};

const CREDENTIALS = JSON.stringify([{
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "not-a-real-secret",
  tenant: "team-a",
}]);

Deno.test("readConfig() needs no variable at all on a laptop", () => {
  const config = readConfig({}, LAPTOP);
  assertEquals(config.host, "127.0.0.1");
  assertEquals(config.port, 8080);
  assertEquals(config.kv, { kind: "local" });
  assertEquals(config.objectStore, { kind: "file" });
  assertEquals(config.defaultProvider, "bedrock");
  assert(config.open);
  assertEquals(config.openai, null);
});

Deno.test("readConfig() takes an empty variable for an unset one", () => {
  const config = readConfig({ FINOPS_PORT: "", OPENAI_API_KEY: " " }, LAPTOP);
  assertEquals(config.port, 8080);
  assertEquals(config.openai, null);
});

Deno.test("readConfig() reads each provider under its SDK's names", () => {
  const config = readConfig({
    AWS_REGION: "eu-west-1",
    AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9000/",
    OPENAI_API_KEY: "k",
    OPENAI_BASE_URL: "http://127.0.0.1:1/v1",
    OPENAI_PROJECT_ID: "p",
    GOOGLE_API_KEY: "g",
    ANTHROPIC_API_KEY: "a",
  }, LAPTOP);
  assertEquals(config.bedrock.region, "eu-west-1");
  assertEquals(config.bedrock.s3Endpoint, "http://127.0.0.1:9000");
  assertEquals(config.openai, {
    apiKey: "k",
    baseUrl: "http://127.0.0.1:1/v1",
    organization: null,
    project: "p",
  });
  assertEquals(config.gemini, { apiKey: "g", baseUrl: null });
  assertEquals(config.anthropic, { apiKey: "a", baseUrl: null });
});

Deno.test("readConfig() maps buckets to providers", () => {
  const FINOPS_BUCKETS = "openai-files=openai, gemini-files = Gemini";
  assertEquals([...readConfig({ FINOPS_BUCKETS }, LAPTOP).buckets], [
    ["openai-files", "openai"],
    ["gemini-files", "gemini"],
  ]);
});

const MISTAKES: {
  name: string;
  env: Environment;
  platform?: Platform;
  names: string[];
}[] = [
  {
    name: "every mistake at once",
    env: {
      FINOPS_PORT: "eighty",
      FINOPS_KV: "redis",
      FINOPS_DEFAULT_PROVIDER: "azure",
      FINOPS_BUCKETS: "a=azure",
      OPENAI_BASE_URL: "localhost",
      BEDROCK_BATCH_ROLE_ARN: "batch",
    },
    names: [
      "FINOPS_PORT",
      "FINOPS_KV",
      "FINOPS_DEFAULT_PROVIDER",
      "FINOPS_BUCKETS",
      "BEDROCK_BATCH_ROLE_ARN",
    ],
  },
  {
    name: "a port beyond TCP's",
    env: { FINOPS_PORT: "65536" },
    names: ["FINOPS_PORT"],
  },
  {
    name: "an open gateway that is reachable from elsewhere",
    env: { FINOPS_HOST: "0.0.0.0" },
    names: ["FINOPS_CREDENTIALS", "FINOPS_ALLOW_ANONYMOUS"],
  },
  {
    name: "an open gateway on Deno Deploy",
    env: {},
    platform: DEPLOY,
    names: ["FINOPS_CREDENTIALS", "FINOPS_ALLOW_ANONYMOUS"],
  },
  {
    name: "a folder on Deno Deploy",
    env: { FINOPS_CREDENTIALS: CREDENTIALS, FINOPS_OBJECT_STORE: "file" },
    platform: DEPLOY,
    names: ["FINOPS_OBJECT_STORE"],
  },
  {
    name: "a KV file on Deno Deploy",
    env: { FINOPS_CREDENTIALS: CREDENTIALS, FINOPS_KV: "local" },
    platform: DEPLOY,
    names: ["FINOPS_KV"],
  },
  {
    name: "a KV Connect URL without its token",
    env: { FINOPS_KV: "http://127.0.0.1:4512" },
    names: ["DENO_KV_ACCESS_TOKEN"],
  },
  {
    name: "a credentials file that is not there",
    env: { FINOPS_CREDENTIALS_FILE: "missing.json" },
    names: ["FINOPS_CREDENTIALS_FILE"],
  },
  {
    name: "credentials in two places",
    env: { FINOPS_CREDENTIALS: CREDENTIALS, FINOPS_CREDENTIALS_FILE: "x" },
    names: ["FINOPS_CREDENTIALS_FILE"],
  },
];

for (const { name, env, platform, names } of MISTAKES) {
  Deno.test(`readConfig() refuses ${name}, naming the variables`, () => {
    const error = assertThrows(
      () => readConfig(env, platform ?? LAPTOP),
      ConfigError,
    );
    const missing = names.filter((variable) =>
      !error.problems.some((problem: string) => problem.includes(variable))
    );
    assertEquals(missing, []);
  });
}

Deno.test("readConfig() never shows a secret", () => {
  const secret = "s3cr3t-value";
  const error = assertThrows(() =>
    readConfig({
      FINOPS_PORT: "x",
      OPENAI_API_KEY: secret,
      FINOPS_CREDENTIALS: `[{"secretAccessKey":"${secret}"}]`,
    }, LAPTOP), ConfigError);
  assertFalse(error.message.includes(secret));
});

Deno.test("readConfig() runs on Deno Deploy without a store, and says so", () => {
  const config = readConfig({ FINOPS_CREDENTIALS: CREDENTIALS }, DEPLOY);
  assertEquals(config.kv, { kind: "deploy" });
  assertEquals(config.objectStore.kind, "none");
});
