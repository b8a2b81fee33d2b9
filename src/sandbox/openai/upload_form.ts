import { Buffer } from "node:buffer";
import { z } from "zod";
import { BufferedFile } from "../jsonl.ts";
import { type DataFolder, DIGITS, LETTERS, randomId } from "../simulator.ts";
import { OpenAiError } from "./error.ts";
import {
  MultipartError,
  type MultipartPart,
  type PartWriter,
} from "./multipart.ts";

const FIELD_BYTES_MAX = 4096;
const EXPIRES_SECONDS_MIN = 3600;
const EXPIRES_SECONDS_MAX = 2_592_000;
const BASE62 = LETTERS + LETTERS.toUpperCase() + DIGITS;

const UPLOAD_PURPOSES = [
  "assistants",
  "batch",
  "fine-tune",
  "vision",
  "user_data",
  "evals",
] as const;
type UploadPurpose = typeof UPLOAD_PURPOSES[number];

export interface OpenAiFile {
  readonly id: string;
  readonly purpose: UploadPurpose | "batch_output";
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Seconds, as everywhere in this API. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

export function newFileId(): string {
  return `file-${randomId(22, BASE62)}`;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** What has been read of one upload. */
export class UploadForm {
  readonly id = newFileId();
  readonly #folder: DataFolder;
  readonly #fileBytesMax: number;
  readonly #fields = new Map<string, string>();
  #fileName: string | null = null;
  #file: BufferedFile | null = null;
  #sizeBytes = 0;

  constructor(folder: DataFolder, fileBytesMax: number) {
    this.#folder = folder;
    this.#fileBytesMax = fileBytesMax;
  }

  open(part: MultipartPart): PartWriter {
    if (part.name !== "file") return this.#openField(part.name);
    if (part.fileName === null || this.#fileName !== null) {
      throw missing(part.fileName === null ? "file" : "one file only");
    }
    this.#fileName = part.fileName;
    return async (bytes) => {
      this.#sizeBytes += bytes.length;
      if (this.#sizeBytes > this.#fileBytesMax) throw this.#tooLarge();
      this.#file ??= new BufferedFile(await this.#folder.create(this.id));
      await this.#file.write(bytes);
    };
  }

  async finish(): Promise<OpenAiFile> {
    const purpose = this.#purpose();
    if (this.#fileName === null) throw missing("file");
    if (this.#sizeBytes === 0) {
      throw new OpenAiError({
        status: 400,
        message: "File is empty.",
        param: "file",
      });
    }
    if (purpose === "batch" && !this.#fileName.endsWith(".jsonl")) {
      throw new OpenAiError({
        status: 400,
        message: "Invalid file format for Batch API. Must be .jsonl",
      });
    }
    await this.#file?.flush();
    const createdAt = nowSeconds();
    const lifeSeconds = this.#lifeSeconds(purpose);
    return {
      id: this.id,
      purpose,
      fileName: this.#fileName,
      sizeBytes: this.#sizeBytes,
      createdAt,
      expiresAt: lifeSeconds === null ? null : createdAt + lifeSeconds,
    };
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
  }

  #openField(name: string): PartWriter {
    let text = "";
    this.#fields.set(name, text);
    return (bytes) => {
      text += Buffer.from(bytes).toString("utf8");
      this.#fields.set(name, text);
      return text.length <= FIELD_BYTES_MAX
        ? Promise.resolve()
        : Promise.reject(new MultipartError(`Field '${name}' is too long.`));
    };
  }

  #purpose(): UploadPurpose {
    const text = this.#fields.get("purpose");
    if (text === undefined) throw missing("purpose");
    const purpose = UPLOAD_PURPOSES.find((known) => known === text);
    if (purpose !== undefined) return purpose;
    throw new OpenAiError({
      status: 400,
      message: `'${text}' is not one of ${
        JSON.stringify(UPLOAD_PURPOSES)
      } - 'purpose'`,
    });
  }

  /** Batch inputs live for 30 days by default, other files for ever. */
  #lifeSeconds(purpose: UploadPurpose): number | null {
    const text = this.#fields.get("expires_after[seconds]");
    const anchor = this.#fields.get("expires_after[anchor]");
    if (text === undefined && anchor === undefined) {
      return purpose === "batch" ? EXPIRES_SECONDS_MAX : null;
    }
    return checkExpiresAfter({ anchor, seconds: Number(text) });
  }

  #tooLarge(): OpenAiError {
    return new OpenAiError({
      status: 413,
      message: `Maximum content size limit (${this.#fileBytesMax}) exceeded.`,
    });
  }
}

const expiresAfterSchema = z.strictObject({
  anchor: z.literal("created_at"),
  seconds: z.int().min(EXPIRES_SECONDS_MIN).max(EXPIRES_SECONDS_MAX),
});

/** @throws {OpenAiError} for another anchor, or seconds out of range. */
export function checkExpiresAfter(value: unknown): number {
  const parsed = expiresAfterSchema.safeParse(value);
  if (parsed.success) return parsed.data.seconds;
  throw new OpenAiError({
    status: 400,
    message: "Invalid 'expires_after': the anchor must be 'created_at' and " +
      `the seconds between ${EXPIRES_SECONDS_MIN} and ${EXPIRES_SECONDS_MAX}.`,
    param: "expires_after",
    code: "invalid_value",
  });
}

function missing(name: string): OpenAiError {
  return new OpenAiError({
    status: 400,
    message: `Missing required parameter: '${name}'.`,
    param: name,
    code: "missing_required_parameter",
  });
}
