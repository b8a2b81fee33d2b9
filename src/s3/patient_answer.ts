import type { ByteStream } from "../domain/bytes.ts";
import { documentAnswer, type S3Answer } from "./answer.ts";
import { describeError } from "./error_answer.ts";
import {
  branch,
  leaf,
  PROLOG,
  renderDocument,
  renderErrorDocument,
  type XmlElement,
} from "./xml.ts";

/** boto3 gives up after 60 seconds of silence, other clients earlier. */
const PATIENCE_MS = 15_000;

export interface PatienceOptions {
  readonly requestId: string;
  /** Told of an error that comes when the status has gone out. */
  report(error: unknown): void;
  readonly patienceMs?: number;
}

/**
 * Answers with what `work` resolves to. Where that takes long, the answer
 * begins with white space, as S3's does (S3 API Reference,
 * CompleteMultipartUpload): the client must not take the silence for a broken
 * connection. An error after that comes as an error document with status 200.
 */
export async function patientAnswer(
  work: Promise<XmlElement>,
  options: PatienceOptions,
): Promise<S3Answer> {
  const { patienceMs = PATIENCE_MS } = options;
  const root = await inTime(work, patienceMs);
  if (root !== null) return documentAnswer(root);
  return {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: {
      kind: "stream",
      stream: waitAloud(work, { ...options, patienceMs }),
      sizeBytes: null,
    },
  };
}

function waitAloud(
  work: Promise<XmlElement>,
  options: PatienceOptions & { readonly patienceMs: number },
): ByteStream {
  const encoder = new TextEncoder();
  const document = work.then(
    (root) => renderDocument(root),
    (error: unknown) => {
      options.report(error);
      return errorDocument(error, options.requestId);
    },
  );
  let begun = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!begun) {
        begun = true;
        return controller.enqueue(encoder.encode(PROLOG));
      }
      const text = await inTime(document, options.patienceMs);
      if (text === null) return controller.enqueue(encoder.encode(" "));
      controller.enqueue(encoder.encode(text.slice(PROLOG.length)));
      controller.close();
    },
  }, { highWaterMark: 0 });
}

function errorDocument(error: unknown, requestId: string): string {
  const { code, message, details } = describeError(error);
  return renderErrorDocument(branch("Error", [
    leaf("Code", code),
    leaf("Message", message),
    ...details,
    leaf("RequestId", requestId),
  ]));
}

/** Null where the promise does not settle in time. */
async function inTime<T>(
  promise: Promise<T>,
  timeMs: number,
): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), timeMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
