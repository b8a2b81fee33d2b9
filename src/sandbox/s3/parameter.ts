import { S3Failure } from "./failure.ts";

/**
 * A count in the query, such as `max-keys`, never more than `countMax`.
 *
 * @throws {S3Failure} `InvalidArgument` unless it is a whole number.
 */
export function readCount(
  query: ReadonlyMap<string, string>,
  name: string,
  countMax: number,
): number {
  const text = query.get(name);
  if (text === undefined || text === "") return countMax;
  if (!/^[0-9]{1,10}$/.test(text)) {
    throw new S3Failure(
      "InvalidArgument",
      `Provided ${name} not an integer or within integer range`,
      { details: { ArgumentName: name, ArgumentValue: text } },
    );
  }
  return Math.min(Number(text), countMax);
}
