/** Base 36; enough for thousands of years. */
const TIME_LETTERS = 9;
/** 5 bits a letter; 130 bits cannot be guessed. */
const RANDOM_LETTERS = 26;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * An id that cannot be guessed. It begins with its time, so that ids sort as
 * their uploads began, which is the order in which S3 lists them.
 */
export function newUploadId(now: Date): string {
  return idsFrom(now) + randomLetters(RANDOM_LETTERS);
}

/** Sorts before every id of that moment and after every earlier one. */
export function idsFrom(time: Date): string {
  return Math.max(0, time.getTime()).toString(36).padStart(TIME_LETTERS, "0");
}

export function isUploadId(text: string): boolean {
  return /^[0-9a-z]{9}[a-z2-7]{26}$/.test(text);
}

export function randomLetters(count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(bytes, (byte) => BASE32.charAt(byte % BASE32.length))
    .join("");
}
