import { GatewayError } from "../domain/failure.ts";

/** A small body, such as JSON, read whole but never beyond its bound. */
export interface BodyBounds {
  readonly bytesMax: number;
  /** Longest wait for the next byte. */
  readonly idleMs: number;
}

/** What is needed of a request. */
export interface BodySource {
  readonly body: ReadableStream<Uint8Array> | null;
  readonly headers: Headers;
}

/**
 * @throws {GatewayError} `entity_too_large`, `request_timeout` or
 * `incomplete_body`; the rest of the body is not read then.
 */
export async function readBoundedBody(
  { body, headers }: BodySource,
  bounds: BodyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  // What is announced is refused before a byte of it is waited for.
  const announcedBytes = Number(headers.get("content-length") ?? 0);
  if (announcedBytes > bounds.bytesMax) throw tooLarge(bounds.bytesMax);
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  const reader = body.getReader();
  try {
    for (;;) {
      const chunk = await readSoon(reader, bounds.idleMs);
      if (chunk === null) break;
      sizeBytes += chunk.length;
      if (sizeBytes > bounds.bytesMax) throw tooLarge(bounds.bytesMax);
      chunks.push(chunk);
    }
  } catch (error) {
    // Nobody waits for a client that may never send the rest.
    reader.cancel().catch(() => {});
    throw error;
  }
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

async function readSoon(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  idleMs: number,
): Promise<Uint8Array | null> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() =>
    reject(
      new GatewayError(
        { kind: "request_timeout" },
        `No byte of the request's body came for ${idleMs} ms.`,
      ),
    ), idleMs);
  try {
    const read = reader.read().catch((cause) => {
      throw new GatewayError(
        { kind: "incomplete_body" },
        "The request's body was cut short.",
        { cause },
      );
    });
    const { done, value } = await Promise.race([read, late]);
    return done ? null : value;
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge(bytesMax: number): GatewayError {
  return new GatewayError(
    { kind: "entity_too_large", bytesMax },
    `The request's body is larger than ${bytesMax} bytes.`,
  );
}
