import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseCredentials } from "./credentials.ts";

const SECRET = "s3cr3t-that-nobody-may-see";

Deno.test("parseCredentials() reads every member", () => {
  const json = JSON.stringify([{
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: SECRET,
    tenant: "acme",
    providers: ["OpenAI", "gemini"],
    defaultProvider: " OPENAI ",
    buckets: ["*", "logs", "data/acme/*", "data/2026*"],
    admin: true,
    bearerKey: "bearer",
  }]);
  assertEquals(parseCredentials(json), {
    problems: [],
    credentials: [{
      accessKeyId: "AKIDEXAMPLE",
      secretAccessKey: SECRET,
      tenant: "acme",
      providers: ["openai", "gemini"],
      defaultProvider: "openai",
      buckets: ["*", "logs", "data/acme/*", "data/2026*"],
      admin: true,
      bearerKey: "bearer",
    }],
  });
});

Deno.test("parseCredentials() gives the least where members are left out", () => {
  const json = JSON.stringify([
    { accessKeyId: "A", secretAccessKey: SECRET, tenant: "t", admin: null },
  ]);
  assertEquals(parseCredentials(json), {
    problems: [],
    credentials: [{
      accessKeyId: "A",
      secretAccessKey: SECRET,
      tenant: "t",
      providers: null,
      defaultProvider: null,
      buckets: [],
      admin: false,
      bearerKey: null,
    }],
  });
});

const GOOD = { accessKeyId: "A", secretAccessKey: SECRET, tenant: "t" };
const OTHER = { ...GOOD, accessKeyId: "B" };

for (
  const { name, json, problem } of [
    {
      name: "no JSON",
      json: `[{"secretAccessKey": "${SECRET}"`,
      problem: "JSON",
    },
    { name: "nothing", json: "", problem: "not valid JSON" },
    { name: "an object", json: JSON.stringify(GOOD), problem: "JSON list" },
    {
      name: "an empty list",
      json: "[]",
      problem: "list of credentials is empty",
    },
    {
      name: "an endless text",
      json: " ".repeat(2 ** 20 + 1),
      problem: "longer than 1048576 characters",
    },
    {
      name: "too many entries",
      json: JSON.stringify(Array(1001).fill(GOOD)),
      problem: "more than 1000",
    },
    {
      name: "an entry that is no object",
      json: JSON.stringify([GOOD, SECRET]),
      problem: "Credential 2: give an object",
    },
    {
      name: "a missing secret",
      json: JSON.stringify([{ accessKeyId: "A", tenant: "t" }]),
      problem: "Credential 1: secretAccessKey: give",
    },
    {
      name: "an access key id with a slash",
      json: JSON.stringify([{ ...GOOD, accessKeyId: `${SECRET}/x` }]),
      problem: "Credential 1: accessKeyId: give",
    },
    {
      name: "a secret with a line end",
      json: JSON.stringify([{ ...GOOD, secretAccessKey: `${SECRET}\n` }]),
      problem: "Credential 1: secretAccessKey: give",
    },
    {
      name: "a tenant that is no name",
      json: JSON.stringify([{ ...GOOD, tenant: "../t" }]),
      problem: "Credential 1: tenant: give",
    },
    {
      name: "an unknown provider",
      json: JSON.stringify([{ ...GOOD, providers: ["openai", "azure"] }]),
      problem: "Credential 1: providers.1: give one of bedrock, openai",
    },
    {
      name: "no provider at all",
      json: JSON.stringify([{ ...GOOD, providers: [] }]),
      problem: "name at least one of",
    },
    {
      name: "a default provider out of reach",
      json: JSON.stringify([
        { ...GOOD, providers: ["openai"], defaultProvider: "gemini" },
      ]),
      problem: 'Credential 1: defaultProvider "gemini" is not among',
    },
    {
      name: "a bucket prefix without a star",
      json: JSON.stringify([{ ...GOOD, buckets: ["b", "b/c"] }]),
      problem: "Credential 1: buckets.1: give `name`",
    },
    {
      name: "a star in the middle",
      json: JSON.stringify([{ ...GOOD, buckets: ["b/*c*"] }]),
      problem: "Credential 1: buckets.0: give `name`",
    },
    {
      name: "an admin that is a text",
      json: JSON.stringify([{ ...GOOD, admin: "false" }]),
      problem: "Credential 1: admin: give true or false",
    },
    {
      name: "a misspelt member",
      json: JSON.stringify([{ ...GOOD, bucket: ["b"] }]),
      problem: 'Credential 1: unknown member "bucket"',
    },
    {
      name: "a secret in a member's place",
      json: JSON.stringify([{ ...GOOD, [SECRET]: "" }]),
      problem: "unknown member one that is not shown",
    },
    {
      name: "one access key id twice",
      json: JSON.stringify([GOOD, OTHER, GOOD]),
      problem: "Credentials 1 and 3 have the same accessKeyId",
    },
    {
      name: "one bearer key twice",
      json: JSON.stringify([
        { ...GOOD, bearerKey: SECRET },
        { ...OTHER, bearerKey: SECRET },
      ]),
      problem: "Credentials 1 and 2 have the same bearerKey",
    },
  ]
) {
  Deno.test(`parseCredentials() names the problem with ${name}, but no secret`, () => {
    const problems = parseCredentials(json).problems.join("\n");
    assertStringIncludes(problems, problem);
    assert(!problems.includes(SECRET), problems);
  });
}

Deno.test("parseCredentials() names every problem at once", () => {
  const { credentials, problems } = parseCredentials(
    JSON.stringify([{ tenant: "" }, GOOD, { ...OTHER, admin: 1 }]),
  );
  assertEquals(credentials.map(({ accessKeyId }) => accessKeyId), ["A"]);
  assertEquals(problems.length, 4);
});
