import { readJsonLines } from "../jsonl.ts";
import { isBatchModel } from "./models.ts";

/** OpenAI API Reference, Batch: limits of an input file. */
const REQUESTS_MAX = 50_000;
const INPUT_BYTES_MAX = 200 * 1024 * 1024;
const EMBEDDING_INPUTS_MAX = 50_000;
/** A broken file is not told about line by line without end. */
const ERRORS_MAX = 100;

/** One entry of a failed batch's `errors.data`. */
export interface BatchError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly line: number | null;
}

export interface InputReport {
  readonly total: number;
  readonly model: string | null;
  /** Empty where the batch may run. */
  readonly errors: readonly BatchError[];
}

/** Looks through a batch's whole input file before anything of it is run. */
export async function inspectInput(
  path: string,
  sizeBytes: number,
  endpoint: string,
): Promise<InputReport> {
  const inspection = new Inspection(endpoint);
  if (sizeBytes > INPUT_BYTES_MAX) {
    inspection.refuse(
      "file_too_large",
      `The batch input file is larger than the ${INPUT_BYTES_MAX} byte ` +
        "maximum for this endpoint.",
    );
    return inspection.report();
  }
  for await (const line of readJsonLines(path)) {
    inspection.look(line.number, line.value);
    if (inspection.isFull) break;
  }
  return inspection.report();
}

class Inspection {
  readonly #endpoint: string;
  readonly #errors: BatchError[] = [];
  readonly #customIds = new Set<string>();
  #total = 0;
  #embeddingInputs = 0;
  #model: string | null = null;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  get isFull(): boolean {
    return this.#errors.length >= ERRORS_MAX || this.#total > REQUESTS_MAX;
  }

  look(number: number, value: unknown): void {
    this.#total += 1;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const message = "This line is not parseable as valid JSON.";
      return this.refuse("invalid_json_line", message, null, number);
    }
    const line = new Map(Object.entries(value));
    for (const param of ["custom_id", "method", "url", "body"]) {
      if (line.get(param) !== undefined) continue;
      const message = `Missing required parameter: '${param}'.`;
      this.refuse("missing_required_parameter", message, param, number);
      return;
    }
    this.#lookAtAddress(number, line);
    this.#lookAtBody(number, line.get("body"));
  }

  report(): InputReport {
    if (this.#total === 0 && this.#errors.length === 0) {
      this.refuse(
        "empty_file",
        "The batch input file is empty. Please ensure that the batch contains " +
          "at least one request.",
      );
    }
    if (this.#total > REQUESTS_MAX) {
      this.refuse(
        "too_many_tasks",
        "The batch input file contains too many requests. The maximum is " +
          `${REQUESTS_MAX}.`,
      );
    }
    if (this.#embeddingInputs > EMBEDDING_INPUTS_MAX) {
      this.refuse(
        "too_many_tasks",
        `The batch contains more than ${EMBEDDING_INPUTS_MAX} inputs.`,
      );
    }
    return { total: this.#total, model: this.#model, errors: this.#errors };
  }

  refuse(
    code: string,
    message: string,
    param: string | null = null,
    line: number | null = null,
  ): void {
    this.#errors.push({ code, message, param, line });
  }

  #lookAtAddress(number: number, line: ReadonlyMap<string, unknown>): void {
    const customId = line.get("custom_id");
    if (typeof customId !== "string" || customId === "") {
      const message = "Invalid type for 'custom_id': expected a string.";
      this.refuse("invalid_type", message, "custom_id", number);
    } else if (this.#customIds.has(customId)) {
      this.refuse(
        "duplicate_custom_id",
        `The custom_id '${customId}' for this request is a duplicate of ` +
          "another request. The custom_id parameter must be unique for each " +
          "request in a batch.",
        "custom_id",
        number,
      );
    } else this.#customIds.add(customId);
    if (line.get("method") !== "POST") {
      const message = "Invalid value for 'method': only 'POST' is supported.";
      this.refuse("invalid_method", message, "method", number);
    }
    if (line.get("url") !== this.#endpoint) {
      this.refuse(
        "url_mismatch",
        "The URL provided for this request does not match the batch endpoint " +
          `'${this.#endpoint}'.`,
        "url",
        number,
      );
    }
  }

  #lookAtBody(number: number, body: unknown): void {
    const fields = new Map(
      typeof body === "object" && body !== null ? Object.entries(body) : [],
    );
    const model = fields.get("model");
    if (typeof model !== "string") {
      const message = "Missing required parameter: 'body.model'.";
      const param = "body.model";
      return this.refuse("missing_required_parameter", message, param, number);
    }
    if (!isBatchModel(model)) {
      const message =
        `The provided model '${model}' is not supported by the Batch API.`;
      this.refuse("model_not_found", message, "body.model", number);
    }
    this.#model ??= model;
    if (model !== this.#model) {
      this.refuse(
        "model_mismatch",
        `The provided model '${model}' does not match the model ` +
          `'${this.#model}' of the batch's other requests.`,
        "body.model",
        number,
      );
    }
    const input = fields.get("input");
    if (this.#endpoint !== "/v1/embeddings") return;
    this.#embeddingInputs += Array.isArray(input) ? input.length : 1;
  }
}
