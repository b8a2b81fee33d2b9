import { readLines } from "../../records/json_lines.ts";
import type { ByteStream } from "../bytes.ts";

/** A first record larger than this is not worth reading for a hint. */
const FIRST_RECORD_BYTES_MAX = 1024 * 1024;

/**
 * The first record of an input as JSON, reading no further than needed; null
 * where it is too large or no JSON. The stream is cancelled afterwards.
 */
export async function readFirstRecord(stream: ByteStream): Promise<unknown> {
  try {
    for await (const line of readLines(stream, FIRST_RECORD_BYTES_MAX)) {
      return JSON.parse(new TextDecoder().decode(line));
    }
    return null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
