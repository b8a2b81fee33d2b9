import type { z } from "zod";
import { GatewayError } from "../domain/failure.ts";

/** Problems named at once; more would help nobody. */
const ISSUES_SHOWN_MAX = 10;

/**
 * A request's members as `shape` says.
 *
 * @throws {GatewayError} `invalid_request` naming every member at fault.
 */
export function parseMembers<T>(shape: z.ZodType<T>, json: unknown): T {
  const parsed = shape.safeParse(json);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const shown = issues.slice(0, ISSUES_SHOWN_MAX).map((issue) => {
    const member = issue.path.join(".");
    return `${member === "" ? "the body" : member}: ${issue.message}`;
  });
  const errors = issues.length === 1 ? "error" : "errors";
  throw new GatewayError(
    { kind: "invalid_request" },
    `${issues.length} validation ${errors} detected: ${shown.join("; ")}`,
  );
}
