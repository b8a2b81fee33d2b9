/** Clients as tests need them: they sign as the AWS SDK for JavaScript does. */
import { assertRejects } from "@std/assert";
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { parseRequestTarget } from "../../http/target.ts";
import { type FailureKind, GatewayError } from "../../domain/failure.ts";
import { type Authenticator, createAuthenticator } from "../authenticator.ts";
import type { Credential } from "../credentials.ts";
import type { SignedRequest, Surface } from "../signed_request.ts";

/** The key pair of AWS's own documentation; it opens nothing. */
export const CREDENTIAL: Credential = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  tenant: "acme",
  providers: null,
  defaultProvider: null,
  buckets: [],
  admin: false,
  bearerKey: "bearer-of-acme",
};

export const SIGNED_AT = new Date("2026-01-01T00:00:00Z");
export const ORIGIN = "http://127.0.0.1:8080";
export const EMPTY_SHA256_HEX = sha256Hex("");
export const S3: Surface = { kind: "s3" };

/** Another caller, who sees everything. */
export const ADMIN: Credential = {
  ...CREDENTIAL,
  accessKeyId: "AKIDADMIN",
  secretAccessKey: "another-secret",
  tenant: "operations",
  admin: true,
  bearerKey: "bearer-of-admin",
};

export const BEDROCK: Surface = {
  kind: "bedrock",
  bodySha256Hex: EMPTY_SHA256_HEX,
};

export const JOB_PATH = "/bedrock/model-invocation-job/" +
  "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Amodel-invocation-job" +
  "%2Fabcdefghijkl";

export interface Draft {
  readonly method: string;
  /** Percent-encoded, as it goes on the wire. */
  readonly path: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly service?: "s3" | "bedrock";
}

export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** An `Authorization` header of that scope with a signature of zeros. */
export function replaceScope(scope: string): string {
  return `AWS4-HMAC-SHA256 Credential=${scope}/aws4_request, ` +
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, " +
    `Signature=${"0".repeat(64)}`;
}

/** The request as a server sees it. */
export function toRequest(
  method: string,
  target: string,
  headers: HeadersInit,
): SignedRequest {
  return {
    method,
    headers: new Headers(headers),
    target: parseRequestTarget(ORIGIN + target),
  };
}

/** Signs in the `Authorization` header. */
export async function signHeader(draft: Draft): Promise<SignedRequest> {
  const signed = await createSigner(draft).sign(toHttpRequest(draft), {
    signingDate: SIGNED_AT,
  });
  return toRequest(draft.method, toTarget(signed), signed.headers);
}

/** Signs in the query; `draft.headers` are signed and must be sent as well. */
export async function presign(
  draft: Draft,
  expiresIn: number,
): Promise<SignedRequest> {
  const names = Object.keys(draft.headers ?? {});
  const request = toHttpRequest(draft);
  if (draft.service !== "bedrock") {
    request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
  }
  const signed = await createSigner(draft).presign(request, {
    signingDate: SIGNED_AT,
    expiresIn,
    unhoistableHeaders: new Set(names),
  });
  const headers = { host: "127.0.0.1:8080", ...draft.headers };
  return toRequest(draft.method, toTarget(signed), headers);
}

/** The gateway of `CREDENTIAL` and `ADMIN` at that time. */
export function openGateway(now: Date = SIGNED_AT): Authenticator {
  return createAuthenticator({
    credentials: [CREDENTIAL, ADMIN],
    anonymous: null,
    now: () => now,
  });
}

/** How the gateway refuses the request. */
export async function refusalOf(
  request: SignedRequest,
  options: { surface?: Surface; now?: Date } = {},
): Promise<FailureKind> {
  const error = await assertRejects(
    () => openGateway(options.now).authenticate(request, options.surface ?? S3),
    GatewayError,
  );
  return error.failure.kind;
}

export function later(seconds: number): Date {
  return new Date(SIGNED_AT.getTime() + seconds * 1000);
}

function createSigner(draft: Draft): SignatureV4 {
  const service = draft.service ?? "s3";
  return new SignatureV4({
    service,
    region: "us-west-2",
    credentials: CREDENTIAL,
    uriEscapePath: service !== "s3",
    applyChecksum: false,
    sha256: NodeSha256,
  });
}

function toHttpRequest(draft: Draft) {
  const isBedrock = draft.service === "bedrock";
  return {
    method: draft.method,
    protocol: "http:",
    hostname: "127.0.0.1",
    port: 8080,
    path: draft.path,
    query: { ...draft.query },
    headers: {
      host: "127.0.0.1:8080",
      ...isBedrock ? {} : { "x-amz-content-sha256": EMPTY_SHA256_HEX },
      ...draft.headers,
    } as Record<string, string>,
  };
}

function toTarget(
  signed: { path: string; query?: Record<string, unknown> },
): string {
  const pairs = Object.entries(signed.query ?? {}).map(([name, value]) =>
    `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`
  );
  return signed.path + (pairs.length === 0 ? "" : `?${pairs.join("&")}`);
}

class NodeSha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined
      ? createHash("sha256")
      : createHmac("sha256", toBytes(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(toBytes(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }

  reset(): void {
    throw new Error("A signer hashes once.");
  }
}

function toBytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
