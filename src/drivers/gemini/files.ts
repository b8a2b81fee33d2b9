import type { ByteStream } from "../../domain/bytes.ts";
import type {
  DriverCall,
  FileDraft,
  FileStorage,
  RemoteFile,
} from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import { checkedBody } from "../http_client.ts";
import { FILE_BYTES_MAX, type GeminiClient } from "./client.ts";
import { uploadResumably } from "./upload.ts";
import {
  isBatchFile,
  parseFile,
  toRemoteFile,
  tryParseFile,
  withoutCollection,
} from "./wire.ts";

/** "files.list": a page has at most 100. */
const PAGE_FILES_MAX = 100;
/** For servers whose pages never end. */
const PAGES_MAX = 10_000;
/** "File": displayName has at most 512 characters. */
const DISPLAY_NAME_LENGTH_MAX = 512;
const JSON_LINES = "application/jsonl";

/** Gemini's Files API, as far as batches use it. Ids go without `files/`. */
export class GeminiFiles implements FileStorage {
  readonly kind = "files";
  readonly fileBytesMax = FILE_BYTES_MAX;
  readonly #client: GeminiClient;

  constructor(client: GeminiClient) {
    this.#client = client;
  }

  /** "File": up to 40 of `[a-z0-9-]`, no dash at either end. */
  isFileId(text: string): boolean {
    return /^(files\/)?[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(text);
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
    const order = {
      fileName: draft.fileName.slice(0, DISPLAY_NAME_LENGTH_MAX),
      sizeBytes: draft.sizeBytes,
      contentType: toMimeType(draft),
    };
    const file = toRemoteFile(
      await this.#client.judged(
        { kind: "upstream_failed", status: 404 },
        () => uploadResumably(this.#client, call, order, body),
      ),
    );
    if (file.sizeBytes === draft.sizeBytes) return file;
    await this.deleteFile(call, file.id);
    throw new GatewayError(
      { kind: "upstream_failed" },
      `Gemini stored ${file.sizeBytes} of ${draft.sizeBytes} bytes; ` +
        "the file was deleted.",
    );
  }

  async getFile(call: DriverCall, fileId: string): Promise<RemoteFile> {
    const name = this.#nameOf(fileId);
    const file = await this.#client.read(
      call,
      missingFile(fileId),
      async (sdk, abortSignal) =>
        parseFile(await sdk.files.get({ name, config: { abortSignal } })),
    );
    return toRemoteFile(file);
  }

  async *listFiles(call: DriverCall): AsyncIterable<readonly RemoteFile[]> {
    let pageToken: string | null = null;
    for (let pageNumber = 1; pageNumber <= PAGES_MAX; pageNumber++) {
      const page: FilePage = await this.#readPage(call, pageToken);
      yield page.files;
      if (page.nextPageToken === pageToken) return;
      pageToken = page.nextPageToken;
      if (pageToken === null) return;
    }
  }

  async openFile(call: DriverCall, fileId: string): Promise<ByteStream> {
    const missing = missingFile(fileId);
    const path = `${this.#nameOf(fileId)}:download?alt=media`;
    try {
      const response = await this.#client.open(call, missing, `/v1beta/${path}`)
        .catch((error) => {
          // The SDK's path and the guides' path: servers may know only one.
          if (!isMissing(error)) throw error;
          return this.#client.open(call, missing, `/download/v1beta/${path}`);
        });
      return checkedBody(response, call, this.#client.upstream);
    } catch (error) {
      await this.#explainRefusal(call, fileId, error);
      throw error;
    }
  }

  async deleteFile(call: DriverCall, fileId: string): Promise<void> {
    try {
      const name = this.#nameOf(fileId);
      await this.#client.read(
        call,
        missingFile(fileId),
        (sdk, abortSignal) =>
          sdk.files.delete({ name, config: { abortSignal } }),
      );
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** Throws where the file is there, but of the kind that stays there. */
  async #explainRefusal(
    call: DriverCall,
    fileId: string,
    cause: unknown,
  ): Promise<void> {
    if (!(cause instanceof GatewayError)) return;
    const { kind } = cause.failure;
    if (
      kind !== "invalid_request" && kind !== "access_denied" &&
      kind !== "no_such_key"
    ) return;
    const file = await this.getFile(call, fileId);
    if (file.downloadable) return;
    throw new GatewayError(
      { kind: "invalid_object_state" },
      "Gemini hands back the files that it made itself, such as batch " +
        `results, but no uploaded file such as "${fileId}".`,
      { cause },
    );
  }

  #readPage(call: DriverCall, pageToken: string | null): Promise<FilePage> {
    return this.#client.read(
      call,
      { kind: "upstream_failed", status: 404 },
      async (sdk, abortSignal) => {
        const pager = await sdk.files.list({
          config: {
            abortSignal,
            pageSize: PAGE_FILES_MAX,
            ...(pageToken === null ? {} : { pageToken }),
          },
        });
        return {
          files: pager.page.map(tryParseFile).filter((file) => file !== null)
            .filter(isBatchFile).map(toRemoteFile),
          nextPageToken: pager.params.config?.pageToken || null,
        };
      },
    );
  }

  /** `files/<id>`; the id becomes part of a path. */
  #nameOf(fileId: string): string {
    const id = withoutCollection(fileId);
    if (/^[A-Za-z0-9_-]{1,100}$/.test(id)) return `files/${id}`;
    throw new GatewayError(
      missingFile(fileId),
      `Gemini has no file "${fileId}".`,
    );
  }
}

interface FilePage {
  readonly files: readonly RemoteFile[];
  readonly nextPageToken: string | null;
}

/** What was told of the content, unless that says less than JSON Lines. */
function toMimeType(draft: FileDraft): string {
  const type = (draft.contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (/^(application|text)\/jsonl$/.test(type)) return type;
  if (draft.fileName.endsWith(".jsonl")) return JSON_LINES;
  return type === "" || /\/(octet-stream|json|x-ndjson|x-jsonlines)$/.test(type)
    ? JSON_LINES
    : type;
}

function tooLarge(sizeBytes: number): GatewayError {
  return new GatewayError(
    { kind: "entity_too_large", sizeBytes, bytesMax: FILE_BYTES_MAX },
    `Gemini takes files of at most ${FILE_BYTES_MAX} bytes.`,
  );
}

function missingFile(fileId: string): Failure {
  return { kind: "no_such_key", key: fileId };
}

function isMissing(error: unknown): boolean {
  return error instanceof GatewayError && error.failure.kind === "no_such_key";
}
