import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import {
  ARN,
  batchTest,
  newCall,
  ORDER,
  PLAIN_WIRE,
} from "./batches_fixture.ts";

const SECRET = "AKIDGATEWAY is not known";

for (
  const { code, status, failure } of [
    {
      code: "ValidationException",
      status: 400,
      failure: { kind: "invalid_request" },
    },
    {
      code: "AccessDeniedException",
      status: 403,
      failure: { kind: "access_denied" },
    },
    { code: "ConflictException", status: 400, failure: { kind: "conflict" } },
    {
      code: "ServiceQuotaExceededException",
      status: 400,
      failure: { kind: "quota_exceeded" },
    },
    {
      code: "ThrottlingException",
      status: 429,
      failure: { kind: "rate_limited", retryAfterMs: 3000 },
    },
    {
      code: "ResourceNotFoundException",
      status: 404,
      failure: { kind: "no_such_resource", resource: PLAIN_WIRE.modelId },
    },
    {
      code: "InternalServerException",
      status: 500,
      failure: { kind: "upstream_failed", status: 500 },
    },
    {
      code: "ServiceUnavailableException",
      status: 503,
      failure: { kind: "upstream_unavailable" },
    },
    { code: "NewException", status: 418, failure: { kind: "invalid_request" } },
    { code: "", status: 502, failure: { kind: "upstream_unavailable" } },
  ] as readonly { code: string; status: number; failure: Failure }[]
) {
  batchTest(
    `${code || "no code"} with ${status} is ${failure.kind}`,
    () => failureAnswer(code, status, "Bedrock's own words."),
    async ({ driver, asked }) => {
      const error = await assertRejects(
        () => driver.batches.startBatch(newCall(), ORDER),
        GatewayError,
      );
      assertEquals(error.failure, failure);
      assertEquals(error.message, "Bedrock's own words.");
      assertEquals(asked.length, 1);
    },
  );
}

for (
  const code of [
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
  ]
) {
  batchTest(
    `${code} is about the gateway, and stays with it`,
    () => failureAnswer(code, 403, SECRET),
    async ({ driver }) => {
      const error = await assertRejects(
        () => driver.probe(newCall()),
        GatewayError,
      );
      assertEquals(error.failure, { kind: "access_denied" });
      assert(!error.message.includes("AKID"), error.message);
    },
  );
}

batchTest(
  "an answer that is not Bedrock's is judged by its status",
  () => new Response("<html>502</html>", { status: 502 }),
  async ({ driver }) => {
    const error = await assertRejects(
      () => driver.batches.startBatch(newCall(), ORDER),
      GatewayError,
    );
    assertEquals(error.failure, { kind: "upstream_unavailable" });
  },
);

batchTest(
  "not found means the job, where a job was asked for",
  () => failureAnswer("ResourceNotFoundException", 404, "no"),
  async ({ driver }) => {
    const { batches } = driver;
    const calls = [
      () => batches.getBatch(newCall(), ARN),
      () => batches.stopBatch(newCall(), ARN),
    ];
    for (const call of calls) {
      const error = await assertRejects(call, GatewayError);
      assertEquals(error.failure, { kind: "no_such_job", jobId: ARN });
    }
  },
);

batchTest(
  "stopBatch() asks once, for the job by its ARN",
  () => Response.json({}),
  async ({ driver, asked }) => {
    await driver.batches.stopBatch(newCall(), ARN);
    assertEquals(asked, [{
      method: "POST",
      target: `/model-invocation-job/${encodeURIComponent(ARN)}/stop`,
      body: null,
    }]);
  },
);

function failureAnswer(
  code: string,
  status: number,
  message: string,
): Response {
  return Response.json({ message }, {
    status,
    headers: {
      "retry-after": "3",
      ...(code === "" ? {} : { "x-amzn-errortype": `${code}:http://x/` }),
    },
  });
}
