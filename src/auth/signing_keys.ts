import type { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

/** What a signing key is bound to, besides the secret. */
export interface CredentialScope {
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** The part of a credential that signs. */
export interface SigningSecret {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Clients reuse one key for a day, so a few hundred serve many clients. */
const KEYS_MAX = 512;

/** SigV4 signing keys, derived once per key, day, region and service. */
export class SigningKeys {
  readonly #keys = new Map<string, Buffer>();

  get(secret: SigningSecret, scope: CredentialScope): Buffer {
    const name = [secret.accessKeyId, formatScope(scope)].join("\n");
    const known = this.#keys.get(name);
    const key = known ?? deriveKey(secret.secretAccessKey, scope);
    // Put last again, so that the first entry is the one unused for longest.
    this.#keys.delete(name);
    this.#keys.set(name, key);
    if (this.#keys.size > KEYS_MAX) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    return key;
  }
}

/** The scope as it stands in strings to sign. */
export function formatScope(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
}

export function hmacSha256(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function deriveKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  const dateKey = hmacSha256(`AWS4${secretAccessKey}`, scope.date);
  const regionKey = hmacSha256(dateKey, scope.region);
  const serviceKey = hmacSha256(regionKey, scope.service);
  return hmacSha256(serviceKey, "aws4_request");
}
