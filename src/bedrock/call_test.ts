import { assertEquals, assertThrows } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import { parseRequestTarget } from "../http/target.ts";
import { type ControlCall, parseControlCall } from "./call.ts";

const ARN = "arn:aws:bedrock:us-east-1:123456789012:" +
  "model-invocation-job/abcdefghijkl";

const CASES: {
  name: string;
  request: string;
  want: ControlCall | null;
}[] = [
  {
    name: "creation",
    request: "POST /bedrock/model-invocation-job",
    want: { operation: "CreateModelInvocationJob" },
  },
  {
    name: "an ARN as one encoded segment, as SDKs send it",
    request: `GET /bedrock/model-invocation-job/${encodeURIComponent(ARN)}`,
    want: { operation: "GetModelInvocationJob", job: ARN },
  },
  {
    name: "an ARN with a bare slash",
    request: `GET /bedrock/model-invocation-job/${ARN}`,
    want: { operation: "GetModelInvocationJob", job: ARN },
  },
  {
    name: "a bare id",
    request: "GET /bedrock/model-invocation-job/abcdefghijkl",
    want: { operation: "GetModelInvocationJob", job: "abcdefghijkl" },
  },
  {
    name: "a stop",
    request: `POST /bedrock/model-invocation-job/${
      encodeURIComponent(ARN)
    }/stop`,
    want: { operation: "StopModelInvocationJob", job: ARN },
  },
  {
    name: "a list with a query",
    request: "GET /bedrock/model-invocation-jobs?maxResults=1",
    want: { operation: "ListModelInvocationJobs" },
  },
  {
    name: "a model",
    request: "GET /bedrock/foundation-models/amazon.nova-lite-v1%3A0",
    want: { operation: "GetFoundationModel", model: "amazon.nova-lite-v1:0" },
  },
  {
    name: "models with a trailing slash",
    request: "GET /bedrock/foundation-models/",
    want: { operation: "ListFoundationModels" },
  },
  {
    name: "an unknown path",
    request: "GET /bedrock/guardrails",
    want: null,
  },
  {
    name: "a known path with another method",
    request: "DELETE /bedrock/model-invocation-job/abcdefghijkl",
    want: null,
  },
  { name: "the bare mount point", request: "GET /bedrock", want: null },
];

for (const { name, request, want } of CASES) {
  Deno.test(`parseControlCall() finds ${name}`, () => {
    const [method = "", url = ""] = request.split(" ");
    const target = parseRequestTarget(`http://h${url}`);
    assertEquals(parseControlCall(method, target), want);
  });
}

Deno.test("parseControlCall() refuses broken percent-encoding", () => {
  const url = "http://h/bedrock/model-invocation-job/%E0%A4%A";
  assertThrows(
    () => parseControlCall("GET", parseRequestTarget(url)),
    GatewayError,
  );
});
