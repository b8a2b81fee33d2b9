import { providerFileName } from "../files/file_name.ts";

/** What a file name says of the attempt that made the file. */
export interface FileMark {
  readonly uploadId: string;
  /** The beginning of the plan's digest. */
  readonly plan: string;
}

const PLAN_LETTERS = 8;
const ENDING_LENGTH_MAX = 16;

export function markOf(uploadId: string, planDigest: string): FileMark {
  return { uploadId, plan: planDigest.slice(0, PLAN_LETTERS) };
}

/**
 * The file name under which a provider gets a completed upload: the key's, and
 * before its ending the mark by which the file can be found again.
 */
export function markedFileName(key: string, mark: FileMark): string {
  const name = providerFileName(key);
  const dot = name.lastIndexOf(".");
  const hasEnding = dot > 0 && name.length - dot <= ENDING_LENGTH_MAX;
  const at = hasEnding ? dot : name.length;
  return `${name.slice(0, at)}.${mark.uploadId}-${mark.plan}${name.slice(at)}`;
}

const MARK = /\.([0-9a-z]{9}[a-z2-7]{26})-([0-9a-f]{8})(?:\.|$)/;

/** Null where a file name bears no mark. */
export function readMark(fileName: string): FileMark | null {
  const [, uploadId, plan] = MARK.exec(fileName) ?? [];
  return uploadId === undefined || plan === undefined
    ? null
    : { uploadId, plan };
}
