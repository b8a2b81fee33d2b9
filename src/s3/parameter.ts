import { GatewayError } from "../domain/failure.ts";
import type { Parameters } from "./call.ts";

/**
 * A whole number from the query; null where it is not given.
 *
 * @throws {GatewayError} `invalid_argument` outside `min`..`max`.
 */
export function readInteger(
  parameters: Parameters,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | null {
  const text = parameters.get(name);
  if (text === undefined) return null;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new GatewayError(
    { kind: "invalid_argument", argument: name, value: text.slice(0, 128) },
    `Argument ${name} must be an integer between ${min} and ${max}`,
  );
}

/** S3's own bound for a number that it caps instead of refusing. */
const INT_MAX = 2 ** 31 - 1;

/** How many entries a list page may have: capped at `cap`, as in S3. */
export function readEntriesMax(
  parameters: Parameters,
  name: string,
  cap: number,
): number {
  const bounds = { min: 0, max: INT_MAX };
  return Math.min(readInteger(parameters, name, bounds) ?? cap, cap);
}

/** Whether keys are to come percent-encoded. */
export type KeyEncoding = "url" | "none";

/** @throws {GatewayError} `invalid_argument`. */
export function readKeyEncoding(parameters: Parameters): KeyEncoding {
  const text = parameters.get("encoding-type");
  if (text === undefined || text === "") return "none";
  if (text === "url") return "url";
  throw new GatewayError(
    {
      kind: "invalid_argument",
      argument: "encoding-type",
      value: text.slice(0, 128),
    },
    "Invalid Encoding Method specified in Request",
  );
}

/**
 * A key or prefix as it stands in a list. Clients decode with `+` as a space,
 * so a space is `%20` and a plus `%2B`; slashes stay.
 */
export function encodeKey(text: string, encoding: KeyEncoding): string {
  if (encoding === "none") return text;
  return encodeURIComponent(text).replaceAll("%2F", "/").replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
