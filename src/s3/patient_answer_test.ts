import { assert, assertEquals, assertRejects } from "@std/assert";
import { GatewayError } from "../domain/failure.ts";
import type { S3Answer } from "./answer.ts";
import { type PatienceOptions, patientAnswer } from "./patient_answer.ts";
import { childText, leaf, parseDocument } from "./xml.ts";

const WORD = leaf("Result", "done");
const FAILURE = new GatewayError({ kind: "upstream_timeout" }, "Too late.");

function options(reported: unknown[] = []): PatienceOptions {
  return {
    requestId: "id",
    patienceMs: 5,
    report: (error) => reported.push(error),
  };
}

async function textOf({ body }: S3Answer): Promise<string> {
  if (body.kind === "none") return "";
  return body.kind === "bytes"
    ? new TextDecoder().decode(body.bytes)
    : await new Response(body.stream as BodyInit).text();
}

Deno.test("patientAnswer() answers plainly what comes in time", async () => {
  const answer = await patientAnswer(Promise.resolve(WORD), options());
  assertEquals(answer.body.kind, "bytes");
  assertEquals(parseDocument(new TextEncoder().encode(await textOf(answer))), {
    name: "Result",
    text: "done",
    children: [],
  });
});

Deno.test("patientAnswer() rejects with what fails in time", async () => {
  const work = Promise.reject(FAILURE);
  assertEquals(
    await assertRejects(() => patientAnswer(work, options())),
    FAILURE,
  );
});

Deno.test("patientAnswer() sends white space until it has the answer", async () => {
  const { promise, resolve } = Promise.withResolvers<typeof WORD>();
  const answer = await patientAnswer(promise, options());
  assertEquals(answer.status, 200);
  const text = textOf(answer);
  setTimeout(() => resolve(WORD), 50);
  const [, spaces = ""] =
    /^<\?xml [^>]*>\n( +)<Result xmlns="[^"]*">done<\/Result>$/
      .exec(await text) ?? [];
  assert(spaces.length >= 2, "at least two spaces");
});

Deno.test("patientAnswer() ends with an error document where it is too late", async () => {
  const reported: unknown[] = [];
  const { promise, reject } = Promise.withResolvers<typeof WORD>();
  const answer = await patientAnswer(promise, options(reported));
  setTimeout(() => reject(FAILURE), 20);
  const error = parseDocument(new TextEncoder().encode(await textOf(answer)));
  assertEquals(error.name, "Error");
  assertEquals(childText(error, "Code"), "ServiceUnavailable");
  assertEquals(childText(error, "RequestId"), "id");
  assertEquals(reported, [FAILURE]);
});

Deno.test("patientAnswer() whose reader leaves lets the work go on", async () => {
  const { promise, reject } = Promise.withResolvers<typeof WORD>();
  const { body } = await patientAnswer(promise, options());
  if (body.kind === "stream") await body.stream.cancel();
  reject(FAILURE);
  assertEquals(await promise.catch(() => "failed"), "failed");
});
