import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const COMPARISON_KEY = randomBytes(32);

/**
 * Whether two texts are equal, in a time that tells nothing about where they
 * differ, nor (beyond hashing it) about how long the secret one is.
 */
export function equalConstantTime(left: string, right: string): boolean {
  return timingSafeEqual(blind(left), blind(right));
}

function blind(text: string): Buffer {
  return createHmac("sha256", COMPARISON_KEY).update(text).digest();
}
