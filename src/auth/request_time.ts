import { GatewayError } from "../domain/failure.ts";

/** How far a client's clock may be off, either way (S3 API Reference). */
const CLOCK_SKEW_MAX_MS = 15 * 60 * 1000;

const ISO_BASIC = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
const HTTP_DATE =
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|[+-]0000)$/;

/** When a request was signed. */
export interface RequestTime {
  readonly epochMs: number;
  /** `YYYYMMDDTHHMMSSZ`, as strings to sign have it. */
  readonly timestamp: string;
}

/** Reads `YYYYMMDDTHHMMSSZ` or an HTTP date; null for anything else. */
export function parseRequestTime(text: string): RequestTime | null {
  const iso = ISO_BASIC.exec(text);
  const readable = iso
    ? `${iso[1]}-${iso[2]}-${iso[3]}T${iso[4]}:${iso[5]}:${iso[6]}Z`
    : HTTP_DATE.test(text)
    ? text
    : "";
  const epochMs = Date.parse(readable);
  // S3 knows no time before 1970: such a date is no date to it.
  if (Number.isNaN(epochMs) || epochMs < 0) return null;
  const extended = new Date(epochMs).toISOString();
  return {
    epochMs,
    timestamp: `${extended.slice(0, 19).replace(/[-:]/g, "")}Z`,
  };
}

/**
 * The time that the headers give: `x-amz-date` where it is there, else `Date`.
 *
 * @throws {GatewayError} `access_denied` where neither can be read.
 */
export function readRequestTime(headers: Headers): RequestTime {
  const text = headers.get("x-amz-date") ?? headers.get("date");
  const time = text === null ? null : parseRequestTime(text);
  if (time === null) {
    throw new GatewayError(
      { kind: "access_denied" },
      "AWS authentication requires a valid Date or x-amz-date header.",
    );
  }
  return time;
}

/** @throws {GatewayError} `clock_skew` */
export function checkClock(time: RequestTime, now: Date): void {
  if (Math.abs(now.getTime() - time.epochMs) <= CLOCK_SKEW_MAX_MS) return;
  throw new GatewayError(
    { kind: "clock_skew" },
    "The difference between the request time and the current time is too " +
      "large.",
  );
}

/**
 * Checks that a presigned URL can be used now.
 *
 * @throws {GatewayError} `expired_request`, or `access_denied` before its time.
 */
export function checkLifetime(
  signedAt: RequestTime,
  expiresSeconds: number,
  now: Date,
): void {
  if (signedAt.epochMs - now.getTime() > CLOCK_SKEW_MAX_MS) {
    throw new GatewayError(
      { kind: "access_denied" },
      "Request is not valid yet.",
    );
  }
  checkExpiry(signedAt.epochMs + expiresSeconds * 1000, now);
}

/** @throws {GatewayError} `expired_request` */
export function checkExpiry(expiresAtMs: number, now: Date): void {
  if (now.getTime() <= expiresAtMs) return;
  throw new GatewayError({ kind: "expired_request" }, "Request has expired.");
}
