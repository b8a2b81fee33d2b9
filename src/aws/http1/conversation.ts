import { type Connection, ConnectionError, type Origin } from "./connection.ts";
import { type AnswerHead, formatHead, readHead } from "./head.ts";

export interface HttpRequest {
  readonly origin: Origin;
  readonly method: string;
  /** Path and query to the letter, percent-encoded. */
  readonly target: string;
  /** Among them `host`, and `content-length` where there is a body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Exactly as many bytes as `content-length` says. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

/** Small bodies travel in the packet of their head. */
const JOINED_BYTES_MAX = 16 * 1024;
/** As long as boto3 waits for `100 Continue`. */
const CONTINUE_WAIT_MS = 1_000;
/** How long the answer to a request that could not be written may take. */
const LAST_WORDS_WAIT_MS = 1_000;
/** `100 Continue` and its like before an answer. */
const INTERIM_HEADS_MAX = 20;

/** The head of the answer, and how much of the request went out before it. */
export interface Converse {
  readonly head: AnswerHead;
  /**
   * `part`: the server did not want the rest. `handed`: the last bytes may
   * still be on their way, so the connection serves nobody else.
   */
  readonly sent: "whole" | "handed" | "part";
}

/** Sends a request until its end or its answer, whichever comes first. */
export async function converse(
  connection: Connection,
  request: HttpRequest,
): Promise<Converse> {
  const head = formatHead(request.method, request.target, request.headers);
  const { body } = request;
  if (body === null || body instanceof Uint8Array) {
    await writeTogether(connection, head, body ?? new Uint8Array(0));
    return { head: await readFinalHead(connection, () => {}), sent: "whole" };
  }
  const upload = new Upload(
    connection,
    Number(request.headers["content-length"]),
  );
  try {
    await connection.write(head);
    if (request.headers["expect"] === "100-continue") {
      await upload.awaitContinue();
    }
    await upload.sendBody(body);
    return { head: await upload.answer, sent: upload.sent };
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    // A server that has seen enough says why, and then reads no further.
    return { head: await upload.lastWords(error), sent: "part" };
  }
}

async function writeTogether(
  connection: Connection,
  head: Uint8Array,
  body: Uint8Array,
): Promise<void> {
  if (body.length > JOINED_BYTES_MAX) {
    await connection.write(head);
    await connection.write(body);
    return;
  }
  const joined = new Uint8Array(head.length + body.length);
  joined.set(head);
  joined.set(body, head.length);
  await connection.write(joined);
}

async function readFinalHead(
  connection: Connection,
  onContinue: () => void,
): Promise<AnswerHead> {
  for (let count = 0; count < INTERIM_HEADS_MAX; count++) {
    const head = await readHead(connection);
    if (head.status >= 200) return head;
    if (head.status === 100) onContinue();
  }
  throw new ConnectionError("the answer does not come to an end");
}

/** Stands for "the answer is there" where something else was waited for. */
const ANSWERED = Symbol("answered");

/** Writes a streamed body while it listens for the answer. */
class Upload {
  /** Rejects with ConnectionError where the connection ends before it. */
  readonly answer: Promise<AnswerHead>;
  readonly #connection: Connection;
  readonly #sizeBytes: number;
  readonly #continued = Promise.withResolvers<void>();
  #handedBytes = 0;
  #writing = false;
  #answered = false;
  /** Whoever waits now; never more than one, so that nothing gathers. */
  #onAnswer: () => void = () => {};

  constructor(connection: Connection, sizeBytes: number) {
    this.#connection = connection;
    this.#sizeBytes = sizeBytes;
    this.answer = readFinalHead(connection, this.#continued.resolve);
    const settle = (): void => {
      this.#answered = true;
      this.#onAnswer();
    };
    this.answer.then(settle, settle);
  }

  get sent(): Converse["sent"] {
    if (this.#handedBytes < this.#sizeBytes) return "part";
    return this.#writing ? "handed" : "whole";
  }

  /** Servers that do not know of this are not waited for long. */
  async awaitContinue(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CONTINUE_WAIT_MS);
    });
    await this.#orAnswer(Promise.race([this.#continued.promise, waited]));
    clearTimeout(timer);
  }

  /** Returns when all is sent, or as soon as there is an answer. */
  async sendBody(body: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks = body[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#orAnswer(chunks.next());
      if (next === ANSWERED) break;
      if (next.done === true) return;
      this.#handedBytes += next.value.length;
      this.#writing = true;
      const write = this.#connection.write(next.value).then(() => {
        this.#writing = false;
      });
      if (await this.#orAnswer(write) === ANSWERED) break;
    }
    // The body may be waiting for a client; it ends when it can.
    chunks.return?.().catch(() => {});
  }

  /** The answer that is on its way, or else `error`. */
  async lastWords(error: ConnectionError): Promise<AnswerHead> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(error), LAST_WORDS_WAIT_MS);
    });
    try {
      return await Promise.race([this.answer, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  #orAnswer<T>(work: Promise<T>): Promise<T | typeof ANSWERED> {
    return new Promise((resolve, reject) => {
      this.#onAnswer = () => resolve(ANSWERED);
      work.then(resolve, reject);
      if (this.#answered) resolve(ANSWERED);
    });
  }
}
