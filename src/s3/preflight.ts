import type { S3Error } from "./errors.ts";
import { leaf } from "./xml.ts";

/**
 * Answers a browser that asks with OPTIONS, unsigned, whether a page of another
 * origin may send a request. No bucket here has rules for that, so the answer
 * is S3's about a bucket without any ("Troubleshooting CORS", S3 User Guide).
 */
export function refusePreflight(headers: Headers): S3Error {
  if (!headers.has("origin")) {
    return refusal(
      400,
      "BadRequest",
      "Insufficient information. Origin request header needed.",
    );
  }
  const method = headers.get("access-control-request-method");
  if (method === null) {
    return refusal(
      400,
      "BadRequest",
      "Invalid Access-Control-Request-Method: null",
    );
  }
  return {
    ...refusal(
      403,
      "AccessForbidden",
      "CORSResponse: CORS is not enabled for this bucket.",
    ),
    details: [leaf("Method", method)],
  };
}

function refusal(status: number, code: string, message: string): S3Error {
  return { status, code, message, details: [], headers: {} };
}
