import { GatewayError } from "../../domain/failure.ts";
import type {
  FileObjects,
  ObjectDraft,
  ObjectHeaders,
  ObjectInfo,
  ObjectName,
} from "../../domain/object.ts";
import type { ByteStream } from "../../domain/bytes.ts";

export const NO_HEADERS: ObjectHeaders = {
  contentType: null,
  contentEncoding: null,
  contentDisposition: null,
  contentLanguage: null,
  cacheControl: null,
  expires: null,
  metadata: {},
  checksums: {},
};

interface Held {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
}

/** Objects in memory, for tests of the front end alone. */
export class MemoryFiles {
  readonly held = new Map<string, Held>();
  /** Keys that are only listed under an id, and never deleted plainly. */
  readonly listedOnly = new Set<string>();
  /** What the next `open` gives instead of the content. */
  override: ByteStream | null = null;
  #count = 0;

  /** Gives an object an ETag that no header can hold, as a faulty store might. */
  corrupt(path: string, etag: string): void {
    const held = this.held.get(path);
    if (held === undefined) throw new Error(`Nothing is held at ${path}.`);
    this.held.set(path, { ...held, info: { ...held.info, etag } });
  }

  asFileObjects(): FileObjects {
    return {
      put: (_call, _provider, draft) => this.#put(draft),
      find: (_call, _provider, name) =>
        Promise.resolve().then(() => this.#find(name)),
      open: (_call, _provider, object, range) => {
        if (this.override !== null) return Promise.resolve(this.override);
        const all = this.#held(object.bucket, object.key).bytes;
        const bytes = range === null ? all : all.subarray(
          range.offsetBytes,
          range.offsetBytes + range.lengthBytes,
        );
        return Promise.resolve(ReadableStream.from([bytes]));
      },
      delete: (_call, _provider, name) =>
        Promise.resolve().then(() => this.#delete(name)),
      list: (_call, _provider, page) => {
        const found = [...this.held.values()].map(({ info }) => info)
          .filter((info) =>
            info.bucket === page.bucket && info.key.startsWith(page.prefix) &&
            info.key > page.after
          )
          .toSorted((one, other) => one.key < other.key ? -1 : 1);
        return ReadableStream.from(found);
      },
    };
  }

  async #put(draft: ObjectDraft): Promise<ObjectInfo> {
    const bytes = new Uint8Array(
      await new Response(draft.body.stream as BodyInit).arrayBuffer(),
    );
    const { bucket, key, condition } = draft;
    const { trailer } = draft.body;
    const checksums = { ...draft.headers.checksums };
    if (trailer !== undefined) {
      checksums[trailer.name.replace("x-amz-checksum-", "")] = trailer.value();
    }
    const headers = { ...draft.headers, checksums };
    const path = `${bucket}/${key}`;
    if (condition.absent && this.held.has(path)) {
      throw new GatewayError(
        { kind: "precondition_failed", condition: "If-None-Match" },
        "At least one of the pre-conditions you specified did not hold",
      );
    }
    const etag = `file-${++this.#count}`;
    const info: ObjectInfo = {
      bucket,
      key,
      etag,
      sizeBytes: bytes.length,
      modifiedAt: new Date("2026-01-02T03:04:05.678Z"),
      source: { kind: "provider_file", fileId: etag, downloadable: true },
      headers,
    };
    this.held.set(path, { info, bytes });
    return info;
  }

  #find({ bucket, key, ifMatch }: ObjectName): ObjectInfo {
    const named = this.held.get(`${bucket}/${key}`) ??
      [...this.held.values()].find(({ info }) => info.etag === ifMatch);
    if (named === undefined) throw noSuchKey(key);
    return named.info;
  }

  #held(bucket: string, key: string): Held {
    const held = this.held.get(`${bucket}/${key}`);
    if (held === undefined) throw noSuchKey(key);
    return held;
  }

  #delete({ bucket, key, ifMatch }: ObjectName): void {
    const held = this.held.get(`${bucket}/${key}`);
    if (held === undefined) return;
    if (ifMatch === null && this.listedOnly.has(key)) {
      throw new GatewayError({ kind: "access_denied" }, "Only listed.");
    }
    if (ifMatch !== null && ifMatch !== held.info.etag) {
      throw new GatewayError(
        { kind: "precondition_failed", condition: "If-Match" },
        "At least one of the pre-conditions you specified did not hold",
      );
    }
    this.held.delete(`${bucket}/${key}`);
  }
}

function noSuchKey(key: string): GatewayError {
  return new GatewayError(
    { kind: "no_such_key", key },
    "The specified key does not exist.",
  );
}
