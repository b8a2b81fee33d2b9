import type {
  ObjectRequest,
  ObjectResponse,
  ObjectStorage,
} from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";

export interface SeenRequest extends Omit<ObjectRequest, "body"> {
  /** The whole body as text; null for none. */
  readonly body: string | null;
}

/** Real S3 in a test's hands: it records what came and says what it is told. */
export class MemoryStorage implements ObjectStorage {
  readonly kind = "objects";
  readonly seen: SeenRequest[] = [];
  answer: (request: SeenRequest) => ObjectResponse = () => textAnswer(200, "");

  async forward(
    _call: unknown,
    request: ObjectRequest,
  ): Promise<ObjectResponse> {
    const body = request.body === null
      ? null
      : await new Response(request.body.stream as BodyInit).text();
    const seen = { ...request, body };
    this.seen.push(seen);
    return this.answer(seen);
  }

  headObject(): Promise<never> {
    return Promise.reject(notPlayed());
  }

  openObject(): Promise<never> {
    return Promise.reject(notPlayed());
  }

  listObjects(): AsyncIterable<never> {
    throw notPlayed();
  }
}

function notPlayed(): GatewayError {
  return new GatewayError({ kind: "internal" }, "Not played in this test.");
}

export function textAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): ObjectResponse {
  const bytes = new TextEncoder().encode(text);
  return {
    status,
    headers: { "content-length": String(bytes.length), ...headers },
    body: ReadableStream.from([bytes]),
  };
}
