import type { ByteStream } from "../domain/bytes.ts";
import { renderDocument, type XmlElement } from "./xml.ts";

/** What an operation answers; only the handler turns it into HTTP. */
export interface S3Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AnswerBody;
  /** What real S3 called the call, where it was asked; for the log. */
  readonly upstreamRequestId?: string;
}

export type AnswerBody =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | {
    readonly kind: "stream";
    readonly stream: ByteStream;
    /** Null where it is not known beforehand. */
    readonly sizeBytes: number | null;
  };

/** A success without a body. */
export function emptyAnswer(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): S3Answer {
  return { status, headers, body: { kind: "none" } };
}

/** A success whose body is one of S3's XML documents. */
export function documentAnswer(
  root: XmlElement,
  headers: Readonly<Record<string, string>> = {},
): S3Answer {
  return xmlAnswer(200, renderDocument(root), headers);
}

export function xmlAnswer(
  status: number,
  xml: string,
  headers: Readonly<Record<string, string>> = {},
): S3Answer {
  return {
    status,
    headers: { "content-type": "application/xml", ...headers },
    body: { kind: "bytes", bytes: new TextEncoder().encode(xml) },
  };
}

/** How long a body is; null where it is not known beforehand. */
export function bodySizeBytes(body: AnswerBody): number | null {
  switch (body.kind) {
    case "none":
      return 0;
    case "bytes":
      return body.bytes.length;
    case "stream":
      return body.sizeBytes;
  }
}
