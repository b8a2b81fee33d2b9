import type { DriverCall, ObjectRequest } from "../../domain/driver.ts";
import type { ByteStream } from "../../domain/bytes.ts";
import { GatewayError } from "../../domain/failure.ts";
import { openWatchedBody } from "../../aws/watched_body.ts";
import { Exchange } from "../../aws/exchange.ts";
import { exchangeFailure } from "../../aws/failures.ts";
import type { HttpTransport } from "../../upstream/transport.ts";
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
      const upload = await Upload.start(exchange, body);
      const answer = await this.#transport.send(
        toHttpRequest(signed, upload.chunks),
        exchange.signal,
      );
      exchange.rest();
      const { status, headers } = answer;
      // An early refusal is S3's right; what it stored, it has read.
      if (!upload.handedOut && status < 400) throw answeredTooSoon();
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

/** A body on its way to S3; tells the exchange whose turn it is. */
class Upload {
  /** Null where there is nothing to send. */
  readonly chunks: AsyncIterable<Uint8Array> | null;
  readonly #exchange: Exchange;
  #leftBytes: number;

  private constructor(exchange: Exchange, body: EncodedBody | null) {
    this.#exchange = exchange;
    this.#leftBytes = body?.sizeBytes ?? 0;
    this.chunks = body === null || body.sizeBytes === 0
      ? null
      : this.#watch(body.chunks);
  }

  static async start(
    exchange: Exchange,
    body: EncodedBody | null,
  ): Promise<Upload> {
    // An empty body, too, has to close before S3 may store anything.
    if (body?.sizeBytes === 0) await Array.fromAsync(body.chunks);
    const upload = new Upload(exchange, body);
    if (upload.handedOut) exchange.awaitAnswer();
    return upload;
  }

  /** Whether the connection has been given every byte. */
  get handedOut(): boolean {
    return this.#leftBytes === 0;
  }

  async *#watch(
    chunks: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of chunks) {
      this.#leftBytes -= chunk.length;
      if (this.handedOut) this.#exchange.awaitAnswer();
      else this.#exchange.awaitProgress();
      yield chunk;
      // Now the client has to send more, within its own bounds.
      if (!this.handedOut) this.#exchange.rest();
    }
  }
}

function answeredTooSoon(): GatewayError {
  return new GatewayError(
    { kind: "upstream_failed" },
    "S3 said it was done before it had read the request.",
  );
}
