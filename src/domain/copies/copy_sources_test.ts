import { assertEquals } from "@std/assert";
import type { ByteStream } from "../bytes.ts";
import type { CallContext } from "../context.ts";
import type {
  FileStorage,
  ObjectRequest,
  ObjectResponse,
  ObjectStorage,
  ProviderDriver,
} from "../driver.ts";
import { GatewayError } from "../failure.ts";
import {
  callOf,
  failureOf,
  MemoryStorage,
  NO_HEADERS,
  textOf,
  utf8,
} from "../files/file_fixture.ts";
import type { FileObjects, ObjectInfo } from "../object.ts";
import type { ProviderName } from "../provider.ts";
import { createProviders } from "../providers.ts";
import { createCopySources, type SourceName } from "./copy_sources.ts";

const S3_OBJECT = "bytes in S3";

/** What tests look at, and what they change. */
interface World {
  readonly asked: ObjectRequest[];
  status: number;
  readonly files: Map<string, string>;
  readonly mayRead: (bucket: string) => boolean;
}

function world(options: Partial<World> = {}): World {
  return {
    asked: [],
    status: 200,
    files: new Map(),
    mayRead: () => true,
    ...options,
  };
}

function sourcesOf(state: World) {
  const providers = createProviders({
    setups: {
      bedrock: on("bedrock", s3Of(state)),
      openai: on("openai", FILES),
      gemini: on("gemini", FILES),
      anthropic: { on: false, reason: "Off." },
    },
    buckets: new Map<string, ProviderName>([
      ["mapped-s3", "bedrock"],
      ["mapped-openai", "openai"],
    ]),
    defaultProvider: "bedrock",
  });
  return createCopySources({
    files: filesOf(state),
    providers,
    mayRead: (_principal, { bucket }) => state.mayRead(bucket),
  });
}

const FILES: FileStorage = new MemoryStorage({
  inputsDownloadable: true,
  now: () => new Date(),
});

function on(provider: ProviderName, storage: ProviderDriver["storage"]) {
  const driver: ProviderDriver = {
    provider,
    storage,
    batches: { kind: "none", reason: "" },
    models: {
      listModels: () => Promise.resolve([]),
      getModel: () => Promise.reject(new Error("not played")),
    },
    probe: () => Promise.resolve(),
    close: () => {},
  };
  return { on: true, open: () => Promise.resolve(driver) } as const;
}

/** Real S3 with one object under every key. */
function s3Of(state: World): ObjectStorage {
  return {
    kind: "objects",
    forward: (_call, request) => {
      state.asked.push(request);
      return Promise.resolve(answerOf(state, request));
    },
    headObject: () => Promise.reject(new Error("not played")),
    openObject: () => Promise.reject(new Error("not played")),
    listObjects: () => ReadableStream.from([]),
  };
}

function answerOf(state: World, request: ObjectRequest): ObjectResponse {
  const isRead = request.method === "GET";
  const text = request.headers.range === undefined ? S3_OBJECT : "S3";
  const partial = request.headers.range === undefined ? 200 : 206;
  return {
    status: state.status === 200 && isRead ? partial : state.status,
    headers: {
      etag: '"s3-etag"',
      "content-length": String(S3_OBJECT.length),
      "content-type": "text/x",
      "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT",
      "x-amz-meta-who": "me",
      "x-amz-version-id": "v",
    },
    body: isRead ? ReadableStream.from([utf8(text)]) : null,
  };
}

/** Files by `provider/bucket/key`. */
function filesOf(state: World): FileObjects {
  const text = (provider: ProviderName, at: { bucket: string; key: string }) =>
    state.files.get(`${provider}/${at.bucket}/${at.key}`);
  return {
    find: (_call, provider, name) =>
      Promise.try((): ObjectInfo => {
        const content = text(provider, name);
        if (content === undefined) throw missing(name.key);
        return {
          bucket: name.bucket,
          key: name.key,
          etag: "file-1",
          sizeBytes: content.length,
          modifiedAt: new Date(),
          source: {
            kind: "provider_file",
            fileId: "file-1",
            downloadable: true,
          },
          headers: NO_HEADERS,
        };
      }),
    open: (_call, provider, object): Promise<ByteStream> =>
      Promise.resolve(ReadableStream.from([
        utf8(text(provider, object) ?? ""),
      ])),
    put: () => Promise.reject(new Error("not played")),
    delete: () => Promise.reject(new Error("not played")),
    list: () => ReadableStream.from([]),
  };
}

function missing(key: string): GatewayError {
  return new GatewayError({ kind: "no_such_key", key }, "Not there.");
}

function nameOf(bucket: string, facts: Partial<SourceName> = {}): SourceName {
  return { bucket, key: "a b/ü", versionId: null, ...facts };
}

function callWith(
  providers: readonly ProviderName[] | null,
): CallContext {
  const call = callOf("t");
  return { ...call, principal: { ...call.principal, providers } };
}

const CALL = callOf("t");

Deno.test("a source is looked for in the destination's provider first", async () => {
  const state = world();
  state.files.set("gemini/b/a b/ü", "of gemini");
  const source = await sourcesOf(state).find(CALL, "gemini", nameOf("b"));
  assertEquals(source.provider, "gemini");
  assertEquals(await textOf(await source.open(null)), "of gemini");
  assertEquals(state.asked, []);
});

Deno.test("a mapped bucket decides, whatever the destination", async () => {
  const state = world();
  state.files.set("gemini/mapped-openai/a b/ü", "wrong");
  state.files.set("openai/mapped-openai/a b/ü", "right");
  const sources = sourcesOf(state);
  assertEquals(sources.providerOf("bedrock", "mapped-openai"), "openai");
  assertEquals(sources.providerOf("bedrock", "other"), "bedrock");
  const source = await sources.find(CALL, "gemini", nameOf("mapped-openai"));
  assertEquals(source.provider, "openai");
  assertEquals(await textOf(await source.open(null)), "right");
});

Deno.test("what is not there is read out of real S3, as it describes it", async () => {
  const state = world();
  const source = await sourcesOf(state).find(CALL, "openai", nameOf("b"));
  assertEquals(source.provider, "bedrock");
  assertEquals(source.etag, "s3-etag");
  assertEquals(source.sizeBytes, S3_OBJECT.length);
  assertEquals(source.modifiedAt, new Date("2026-01-01T00:00:00Z"));
  assertEquals(source.headers.contentType, "text/x");
  assertEquals(source.headers.metadata, { who: "me" });
  assertEquals(await textOf(await source.open(null)), S3_OBJECT);
  assertEquals(
    state.asked.map(({ method, rawKey }) => [method, rawKey]),
    [["HEAD", "a%20b/%C3%BC"], ["GET", "a%20b/%C3%BC"]],
  );
  // Only what was described is copied.
  assertEquals(state.asked[1]?.headers, { "if-match": '"s3-etag"' });
});

Deno.test("a range and a version of an S3 object are asked for", async () => {
  const state = world();
  const name = nameOf("mapped-s3", { versionId: "v1" });
  const source = await sourcesOf(state).find(CALL, "openai", name);
  const range = { offsetBytes: 9, lengthBytes: 2 };
  assertEquals(await textOf(await source.open(range)), "S3");
  assertEquals(state.asked[1]?.headers.range, "bytes=9-10");
  assertEquals(state.asked[1]?.query, [["versionId", "v1"]]);
});

for (
  const { status, mapped, want } of [
    { status: 404, mapped: false, want: "no_such_key" },
    { status: 403, mapped: false, want: "no_such_key" },
    { status: 500, mapped: false, want: "upstream_failed" },
    { status: 404, mapped: true, want: "no_such_key" },
    { status: 403, mapped: true, want: "access_denied" },
    { status: 503, mapped: true, want: "rate_limited" },
  ]
) {
  const where = mapped ? "that is mapped to it" : "that was only a guess";
  Deno.test(`${status} from real S3, ${where}, is ${want}`, async () => {
    const sources = sourcesOf(world({ status }));
    const name = nameOf(mapped ? "mapped-s3" : "b");
    assertEquals(await failureOf(sources.find(CALL, "openai", name)), want);
  });
}

Deno.test("an object that changes between its description and its bytes is refused", async () => {
  const state = world();
  const source = await sourcesOf(state).find(CALL, "openai", nameOf("b"));
  state.status = 412;
  assertEquals(await failureOf(source.open(null)), "precondition_failed");
});

Deno.test("real S3 is not asked where the credential does not reach it", async () => {
  const state = world({ mayRead: () => false });
  const sources = sourcesOf(state);
  const guess = sources.find(CALL, "openai", nameOf("b"));
  assertEquals(await failureOf(guess), "no_such_key");
  const mapped = sources.find(CALL, "openai", nameOf("mapped-s3"));
  assertEquals(await failureOf(mapped), "access_denied");
  const restricted = callWith(["openai"]);
  const reaching = sourcesOf({ ...state, mayRead: () => true });
  const hidden = reaching.find(restricted, "openai", nameOf("b"));
  assertEquals(await failureOf(hidden), "no_such_key");
  assertEquals(state.asked, []);
});

Deno.test("a credential copies only out of providers that it may use", async () => {
  const state = world();
  state.files.set("openai/mapped-openai/a b/ü", "x");
  const find = sourcesOf(state)
    .find(callWith(["gemini"]), "gemini", nameOf("mapped-openai"));
  assertEquals(await failureOf(find), "access_denied");
});

Deno.test("files have no versions but the one that S3 calls null", async () => {
  const state = world();
  state.files.set("openai/mapped-openai/a b/ü", "x");
  const sources = sourcesOf(state);
  const find = (versionId: string) =>
    sources.find(CALL, "openai", nameOf("mapped-openai", { versionId }));
  assertEquals((await find("null")).etag, "file-1");
  assertEquals(await failureOf(find("v1")), "invalid_argument");
});
