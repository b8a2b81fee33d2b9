import {
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "@std/assert";
import { SigningKeys } from "./signing_keys.ts";

const SECRET = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

/** The derived key of AWS's own guide to Signature Version 4. */
const SCOPE = { date: "20150830", region: "us-east-1", service: "iam" };
const KEY_HEX =
  "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";

Deno.test("SigningKeys derives the key of AWS's published example", () => {
  const key = new SigningKeys().get(SECRET, SCOPE);
  assertEquals(key.toString("hex"), KEY_HEX);
});

Deno.test("SigningKeys keeps the keys of secrets and scopes apart", () => {
  const keys = new SigningKeys();
  const found = [
    keys.get(SECRET, SCOPE),
    keys.get({ ...SECRET, accessKeyId: "B", secretAccessKey: "b" }, SCOPE),
    keys.get(SECRET, { ...SCOPE, date: "20150831" }),
    keys.get(SECRET, { ...SCOPE, region: "eu-west-1" }),
    keys.get(SECRET, { ...SCOPE, service: "s3" }),
  ];
  assertEquals(new Set(found.map((key) => key.toString("hex"))).size, 5);
});

Deno.test("SigningKeys derives a key once, and again when it was pushed out", () => {
  const keys = new SigningKeys();
  const first = keys.get(SECRET, SCOPE);
  assertStrictEquals(keys.get(SECRET, SCOPE), first);
  for (let i = 0; i < 600; i++) {
    keys.get(SECRET, { ...SCOPE, region: `region-${i}` });
  }
  const again = keys.get(SECRET, SCOPE);
  assertNotStrictEquals(again, first);
  assertEquals(again.toString("hex"), KEY_HEX);
});
