import type { FileListParams } from "openai/resources/files";
import type { ByteStream } from "../../domain/bytes.ts";
import type {
  DriverCall,
  FileDraft,
  FileStorage,
  RemoteFile,
} from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import { checkedBody } from "../http_client.ts";
import { upstreamAnswerOf } from "../http_failure.ts";
import { FILE_BYTES_MAX, type OpenAiClient } from "./client.ts";
import { multipartForm } from "./multipart.ts";
import {
  parseFile,
  toRemoteFile,
  tryParseFile,
  type WireFile,
} from "./wire.ts";

/** "List files": the limit lies between 1 and 10,000. */
const PAGE_FILES_MAX = 10_000;
/** For servers whose pages never end. */
const PAGES_MAX = 1_000;
const FILE_NAME_LENGTH_MAX = 255;

/** OpenAI's Files API, as far as batches use it. */
export class OpenAiFiles implements FileStorage {
  readonly kind = "files";
  readonly fileBytesMax = FILE_BYTES_MAX;
  readonly #client: OpenAiClient;

  constructor(client: OpenAiClient) {
    this.#client = client;
  }

  isFileId(text: string): boolean {
    return /^file[-_][A-Za-z0-9_-]{1,200}$/.test(text);
  }

  async putFile(
    call: DriverCall,
    draft: FileDraft,
    body: ByteStream,
  ): Promise<RemoteFile> {
    if (draft.sizeBytes > FILE_BYTES_MAX) {
      await body.cancel();
      throw tooLarge(draft.sizeBytes);
    }
    const form = multipartForm({ purpose: "batch" }, {
      fileName: toBatchFileName(draft.fileName),
      contentType: draft.contentType,
      sizeBytes: draft.sizeBytes,
      body,
    });
    let file: WireFile;
    try {
      file = await this.#client.upload(
        call,
        { kind: "upstream_failed", status: 404 },
        (sdk, options) =>
          sdk.post("/files", {
            ...options,
            body: form.stream,
            headers: {
              "content-type": form.contentType,
              "content-length": String(form.sizeBytes),
            },
          }).then(parseFile),
      );
    } catch (error) {
      throw form.failure() ?? error;
    }
    return await this.#verified(call, file, draft.sizeBytes);
  }

  async getFile(call: DriverCall, fileId: string): Promise<RemoteFile> {
    const file = await this.#client.read(
      call,
      missingFile(fileId),
      (sdk, options) =>
        sdk.files.retrieve(checked(fileId), options).then(parseFile),
    );
    return toRemoteFile(file);
  }

  async *listFiles(call: DriverCall): AsyncIterable<readonly RemoteFile[]> {
    yield* this.#listPurpose(call, "batch");
    yield* this.#listPurpose(call, "batch_output");
  }

  async openFile(call: DriverCall, fileId: string): Promise<ByteStream> {
    try {
      const response = await this.#client.open(
        call,
        missingFile(fileId),
        (sdk, options) => sdk.files.content(checked(fileId), options),
      );
      return checkedBody(response, call, this.#client.upstream);
    } catch (error) {
      throw isNotDownloadable(error)
        ? new GatewayError(
          { kind: "invalid_object_state" },
          `OpenAI does not hand back the content of the file "${fileId}".`,
          { cause: error },
        )
        : error;
    }
  }

  async deleteFile(call: DriverCall, fileId: string): Promise<void> {
    try {
      await this.#client.read(
        call,
        missingFile(fileId),
        (sdk, options) => sdk.files.delete(checked(fileId), options),
      );
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async *#listPurpose(
    call: DriverCall,
    purpose: string,
  ): AsyncIterable<readonly RemoteFile[]> {
    let after: string | null = null;
    for (let pageNumber = 1; pageNumber <= PAGES_MAX; pageNumber++) {
      const page: FilePage = await this.#listPage(call, purpose, after);
      const last: string | null = page.files.at(-1)?.id ?? null;
      // A server that ignores `after` sends the same page again.
      if (last === null || last === after) return;
      // A server that ignores the filter sends files of every purpose.
      yield page.files.filter((file) => file.purpose === purpose)
        .map(toRemoteFile);
      if (!page.more) return;
      after = last;
    }
  }

  async #listPage(
    call: DriverCall,
    purpose: string,
    after: string | null,
  ): Promise<FilePage> {
    const query = after === null ? {} : { after };
    try {
      const limit = PAGE_FILES_MAX;
      return await this.#readPage(call, { ...query, limit, purpose });
    } catch (error) {
      // A server may know no such purpose, or take no page so large.
      if (!isRefused(error)) throw error;
      return await this.#readPage(call, query);
    }
  }

  #readPage(call: DriverCall, query: FileListParams): Promise<FilePage> {
    return this.#client.read(
      call,
      { kind: "upstream_failed", status: 404 },
      async (sdk, options) => {
        const page = await sdk.files.list(query, options);
        return {
          files: page.data.map(tryParseFile).filter((file) => file !== null),
          more: page.has_more === true,
        };
      },
    );
  }

  /** A file of another size than was sent is no file of the caller's. */
  async #verified(
    call: DriverCall,
    file: WireFile,
    sizeBytes: number,
  ): Promise<RemoteFile> {
    const storedBytes = file.bytes ?? sizeBytes;
    if (storedBytes === sizeBytes) {
      return toRemoteFile({ ...file, bytes: sizeBytes });
    }
    await this.deleteFile(call, file.id);
    throw new GatewayError(
      { kind: "upstream_failed" },
      `OpenAI stored ${storedBytes} of ${sizeBytes} bytes; ` +
        "the file was deleted.",
    );
  }
}

interface FilePage {
  readonly files: readonly WireFile[];
  readonly more: boolean;
}

/** The Batch API takes an input only where its name ends in `.jsonl`. */
function toBatchFileName(fileName: string): string {
  const ending = ".jsonl";
  const stem = fileName.endsWith(ending)
    ? fileName.slice(0, -ending.length)
    : fileName;
  return stem.slice(0, FILE_NAME_LENGTH_MAX - ending.length) + ending;
}

function tooLarge(sizeBytes: number): GatewayError {
  return new GatewayError(
    { kind: "entity_too_large", sizeBytes, bytesMax: FILE_BYTES_MAX },
    `OpenAI takes files of at most ${FILE_BYTES_MAX} bytes.`,
  );
}

function missingFile(fileId: string): Failure {
  return { kind: "no_such_key", key: fileId };
}

/** Ids become path segments, and these would lead to another resource. */
function checked(fileId: string): string {
  if (fileId !== "" && fileId !== "." && fileId !== "..") return fileId;
  throw new GatewayError(
    missingFile(fileId),
    `OpenAI has no file "${fileId}".`,
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "no_such_key";
}

function isRefused(error: unknown): boolean {
  return error instanceof GatewayError &&
    error.failure.kind === "invalid_request";
}

/** "Not allowed to download files of purpose: ..." */
function isNotDownloadable(error: unknown): boolean {
  return /not allowed to download/i.test(
    upstreamAnswerOf(error)?.message ?? "",
  );
}
