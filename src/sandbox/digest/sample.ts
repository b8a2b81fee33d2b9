import { listOf, objectOf } from "./json_value.ts";

/** Schemas may refer to themselves; deeper than this, null stands in. */
const DEPTH_MAX = 8;

/**
 * A value that fits a JSON schema, with `text` in every string. Only what
 * plain schemas use is honoured: type, properties, items, enum, const, anyOf.
 */
export function sampleOf(schema: unknown, text: string): unknown {
  return sampleAt(schema === true ? ANY_JSON : schema, text, 0);
}

const ANY_JSON = { type: "object", properties: { answer: { type: "string" } } };

function sampleAt(schema: unknown, text: string, depth: number): unknown {
  if (depth > DEPTH_MAX) return null;
  const fields = objectOf(schema);
  if (fields.const !== undefined) return fields.const;
  const choices = listOf(fields.enum);
  if (choices.length > 0) return choices[0];
  const variants = listOf(fields.anyOf ?? fields.oneOf);
  if (variants.length > 0) return sampleAt(variants[0], text, depth + 1);
  const type = listOf(fields.type)[0];
  switch (type) {
    case "string":
      return text;
    case "number":
    case "integer":
      return 1;
    case "boolean":
      return true;
    case "null":
      return null;
    case "array":
      return [sampleAt(fields.items, text, depth + 1)];
    default: {
      const properties = Object.entries(objectOf(fields.properties));
      return Object.fromEntries(properties.map(([name, property]) => [
        name,
        sampleAt(property, text, depth + 1),
      ]));
    }
  }
}
