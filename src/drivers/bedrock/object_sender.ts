import type { DriverCall, ObjectRequest } from "../../domain/driver.ts";
import type { ByteStream } from "../../domain/bytes.ts";
import { GatewayError } from "../../domain/failure.ts";
import { openWatchedBody } from "../../aws/watched_body.ts";
import { Exchange } from "../../aws/exchange.ts";
import { exchangeFailure } from "../../aws/failures.ts";
import type { HttpTransport } from "../../aws/http1/transport.ts";
import { toHttpRequest } from "../../aws/request_handler.ts";
import { encodeBody, type EncodedBody } from "./body_encoding.ts";
import type { RequestSigner } from "./request_signer.ts";

/** S3's answer to one request. */
export interface ObjectAnswer {
  readonly status: number;
  /** Lower-case names, one character a byte. */
  readonly headers: Readonly<Record<string, string>>;
  /** Has to be read or cancelled; errors with GatewayError. */
  readonly body: ByteStream;
}

/** Signs requests and sends them once. */
export class ObjectSender {
  readonly #transport: HttpTransport;
  readonly #signer: RequestSigner;

  constructor(transport: HttpTransport, signer: RequestSigner) {
    this.#transport = transport;
    this.#signer = signer;
  }

  /**
   * Rejects where S3 gave no answer; with the body's own error where that
   * failed, and then S3 never had the whole of it.
   */
  async send(
    call: DriverCall,
    request: ObjectRequest,
    region: string,
  ): Promise<ObjectAnswer> {
    const exchange = new Exchange(call.signal);
    let body: EncodedBody | null = null;
    try {
      if (request.body !== null) {
        body = encodeBody(request.body, request.headers["content-encoding"]);
      }
      const signed = await this.#signer.sign(request, region, body);
      const chunks = body === null ? null : await startBody(exchange, body);
      if (chunks === null) exchange.awaitAnswer();
      const answer = await this.#transport.send(
        toHttpRequest(signed, chunks),
        exchange.signal,
      );
      exchange.rest();
      if (answer.early && answer.status < 400) throw answeredTooSoon();
      const { status, headers } = answer;
      return { status, headers, body: openWatchedBody(answer.body, exchange) };
    } catch (error) {
      exchange.fail(exchangeFailure(error));
      throw exchange.failure;
    } finally {
      // Nothing is left to read, unless S3 did not want it.
      body?.cancel();
    }
  }
}

/** An empty body, too, has to close before S3 may store anything. */
async function startBody(
  exchange: Exchange,
  body: EncodedBody,
): Promise<AsyncIterable<Uint8Array> | null> {
  if (body.sizeBytes > 0) return watched(exchange, body);
  await Array.fromAsync(body.chunks);
  return null;
}

/** Tells the exchange whose turn it is. */
async function* watched(
  exchange: Exchange,
  body: EncodedBody,
): AsyncGenerator<Uint8Array, void, void> {
  let leftBytes = body.sizeBytes;
  for await (const chunk of body.chunks) {
    leftBytes -= chunk.length;
    if (leftBytes === 0) exchange.awaitAnswer();
    else exchange.awaitProgress();
    yield chunk;
    // Now the client has to send more, within its own bounds.
    if (leftBytes > 0) exchange.rest();
  }
}

function answeredTooSoon(): GatewayError {
  return new GatewayError(
    { kind: "upstream_failed" },
    "S3 said it was done before it had read the request.",
  );
}
