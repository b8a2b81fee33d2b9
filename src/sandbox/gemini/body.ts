import { Buffer } from "node:buffer";
import { GoogleError } from "./error.ts";

/**
 * Reads a JSON body of bounded size.
 *
 * @throws {GoogleError} INVALID_ARGUMENT where it is too large or no JSON.
 */
export async function readJson(
  request: Request,
  bytesMax: number,
): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) {
      throw new GoogleError(
        "INVALID_ARGUMENT",
        `Request payload size exceeds the limit: ${bytesMax} bytes.`,
      );
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new GoogleError(
      "INVALID_ARGUMENT",
      "Invalid JSON payload received. Unable to parse the request.",
    );
  }
}
