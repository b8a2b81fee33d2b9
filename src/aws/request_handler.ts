import type { S3Client } from "@aws-sdk/client-s3";
import type { ByteStream } from "../domain/bytes.ts";
import type { HttpRequest } from "../upstream/transport.ts";
import { HttpTransport } from "../upstream/transport.ts";

type Signer = Awaited<ReturnType<S3Client["config"]["signer"]>>;
/** A request in the SDK's own terms, addressed and signed. */
export type SdkRequest = Awaited<ReturnType<Signer["sign"]>>;

/** HttpHandlerOptions of the SDK. */
interface SendOptions {
  readonly abortSignal?: unknown;
  readonly requestTimeout?: number;
}

/** HttpResponse of the SDK. */
interface SdkAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: ByteStream;
}

/** How long a command's answer may take where nobody says otherwise. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Lets the AWS SDK's commands travel over an HttpTransport. */
export class TransportRequestHandler {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly transport = new HttpTransport();

  /** `requestTimeout` bounds the wait for the answer's head. */
  async handle(
    request: SdkRequest,
    { abortSignal, requestTimeout = ANSWER_TIMEOUT_MS }: SendOptions = {},
  ): Promise<{ response: SdkAnswer }> {
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new DOMException("no answer in time", "TimeoutError")),
      requestTimeout,
    );
    const signal = abortSignal instanceof AbortSignal
      ? AbortSignal.any([abortSignal, late.signal])
      : late.signal;
    try {
      const answer = await this.transport.send(
        toHttpRequest(request, toBytes(request.body)),
        signal,
      );
      const { status: statusCode, headers, body } = answer;
      return { response: { statusCode, headers: { ...headers }, body } };
    } finally {
      clearTimeout(timer);
    }
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<never, never> {
    return {};
  }

  destroy(): void {
    this.transport.close();
  }
}

/** The request that the SDK has addressed and signed, with its body. */
export function toHttpRequest(
  request: SdkRequest,
  body: HttpRequest["body"],
): HttpRequest {
  const secure = request.protocol === "https:";
  return {
    origin: {
      secure,
      hostname: request.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: request.port ?? (secure ? 443 : 80),
    },
    method: request.method,
    target: toTarget(request),
    headers: withLength(request, body),
    body,
  };
}

function toTarget({ path, query }: SdkRequest): string {
  const pairs = Object.entries(query ?? {}).sort().flatMap(([name, value]) =>
    [value].flat().map((text) =>
      text === null ? escape(name) : `${escape(name)}=${escape(text)}`
    )
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
}

/** Percent-encodes as SigV4's canonical query does. */
function escape(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The SDK leaves the length of an empty body to the handler. */
function withLength(
  { method, headers }: SdkRequest,
  body: HttpRequest["body"],
): Record<string, string> {
  const announced = Object.keys(headers)
    .some((name) => name.toLowerCase() === "content-length");
  if (announced) return headers;
  if (body instanceof Uint8Array) {
    return { ...headers, "content-length": String(body.length) };
  }
  const mayHaveBody = method === "PUT" || method === "POST";
  return mayHaveBody ? { ...headers, "content-length": "0" } : headers;
}

function toBytes(body: unknown): Uint8Array | null {
  if (body === undefined || body === null || body === "") return null;
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  throw new TypeError("commands are sent with bodies that are known whole");
}
