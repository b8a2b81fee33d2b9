import { type Answer, answerFor } from "../answer.ts";
import { converseOutput, converseProblem } from "./converse.ts";
import type { InputRecord } from "./input.ts";
import { invokeFormatOf } from "./invoke_model.ts";

/** One line of the output, and what it adds to the manifest. */
export interface RecordResult {
  readonly line: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** How one kind of `modelInput` is judged and answered. */
export interface RecordFormat {
  /** Why the model would refuse this body, or null. */
  problemOf(modelInput: Readonly<Record<string, unknown>>): string | null;
  answer(modelInput: Readonly<Record<string, unknown>>): Answer;
  output(answer: Answer, modelId: string): unknown;
}

const CONVERSE: RecordFormat = {
  problemOf: converseProblem,
  answer: (modelInput) => answerFor("converse", modelInput),
  output: converseOutput,
};

/**
 * Answers one record as the model would. A body of the wrong shape is an error
 * of that record, never of the job.
 */
export function answerRecord(
  record: InputRecord,
  modelId: string,
  invocationType: "InvokeModel" | "Converse",
): RecordResult {
  const { recordId, modelInput } = record;
  const format = invocationType === "Converse"
    ? CONVERSE
    : invokeFormatOf(modelId);
  const problem = format.problemOf(modelInput);
  if (problem !== null) {
    return errorResult(record, { status: 400, message: problem });
  }
  const answer = format.answer(modelInput);
  if (answer.failure !== null) return errorResult(record, answer.failure);
  const modelOutput = format.output(answer, modelId);
  return {
    line: { recordId, modelInput, modelOutput },
    isError: false,
    inputTokens: answer.inputTokens,
    outputTokens: answer.outputTokens,
  };
}

function errorResult(
  { recordId, modelInput }: InputRecord,
  failure: { status: number; message: string },
): RecordResult {
  const error = { errorCode: failure.status, errorMessage: failure.message };
  return {
    line: { recordId, modelInput, error },
    isError: true,
    inputTokens: 0,
    outputTokens: 0,
  };
}
