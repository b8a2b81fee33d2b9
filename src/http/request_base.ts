import type { RequestTarget } from "./target.ts";

/** What the router knows of a request before any front end has looked at it. */
export interface RequestBase {
  /** Unique; in the response's headers and in the log. */
  readonly requestId: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly target: RequestTarget;
  /** Adds fields to the access log's line for this request. */
  note(fields: Readonly<Record<string, string | number>>): void;
}
