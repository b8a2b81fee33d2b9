import type { ByteRange, ByteStream } from "../bytes.ts";
import { GatewayError } from "../failure.ts";
import type { ObjectStore, StoredObject } from "../object_store.ts";

/** No provider mints an id with an underscore after such a word. */
const KEPT_PREFIX = "kept_";

/** Where the bytes of such files rest in the object store. */
export const KEPT_FILES_PREFIX = "files/";

/** 5 bits a letter; 130 bits are as good as unique. */
const RANDOM_LETTERS = 26;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

export function newKeptId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_LETTERS));
  let id = KEPT_PREFIX;
  for (const byte of bytes) id += BASE32.charAt(byte % BASE32.length);
  return id;
}

export function isKeptId(text: string): boolean {
  return text.startsWith(KEPT_PREFIX) &&
    text.length === KEPT_PREFIX.length + RANDOM_LETTERS &&
    /^[a-z2-7]+$/.test(text.slice(KEPT_PREFIX.length));
}

/** The bytes of files that the gateway itself holds, in the object store. */
export class KeptFiles {
  readonly #store: ObjectStore | null;

  constructor(store: ObjectStore | null) {
    this.#store = store;
  }

  /** Rejects with `invalid_request` where there is no object store. */
  put(
    fileId: string,
    body: ByteStream,
    signal: AbortSignal,
  ): Promise<StoredObject> {
    return this.require("This file").put(storeKey(fileId), body, signal);
  }

  /** Null where the bytes are gone. */
  open(fileId: string, range: ByteRange | null): Promise<ByteStream | null> {
    return this.require("This file").open(storeKey(fileId), range ?? undefined);
  }

  /** Idempotent. */
  delete(fileId: string): Promise<void> {
    return this.require("This file").delete(storeKey(fileId));
  }

  /** @throws {GatewayError} `invalid_request` where nothing can be kept. */
  require(what: string): ObjectStore {
    if (this.#store !== null) return this.#store;
    throw new GatewayError(
      { kind: "invalid_request" },
      `${what} must rest with the gateway, which has nowhere to keep it: ` +
        "set FINOPS_OBJECT_STORE, for instance to s3://bucket/prefix.",
    );
  }
}

function storeKey(fileId: string): string {
  return KEPT_FILES_PREFIX + fileId;
}

/** The file id whose bytes lie under a store key of that prefix. */
export function keptIdOf(key: string): string {
  return key.slice(KEPT_FILES_PREFIX.length);
}
