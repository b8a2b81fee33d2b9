import type { S3Client } from "@aws-sdk/client-s3";
import type { ObjectRequest } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import type { SdkRequest } from "../../aws/request_handler.ts";
import { canonicalRawKey } from "./raw_key.ts";

/** SHA-256 of nothing. */
const EMPTY_SHA256 =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Headers that only this side of the connection to S3 may set. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "date",
  "expect",
  "host",
  "transfer-encoding",
  "x-amz-content-sha256",
  "x-amz-date",
  "x-amz-decoded-content-length",
  "x-amz-security-token",
  "x-amz-trailer",
]);

/** What of a body is signed: its length and the headers of its encoding. */
export interface BodyFacts {
  readonly sizeBytes: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where a request goes, and under which name and region it is signed. */
interface Destination {
  readonly url: URL;
  readonly authScheme: SigningScheme;
}

interface SigningScheme {
  readonly name: string;
  readonly signingName: string;
  readonly signingRegion: string;
  readonly properties: Record<string, unknown>;
}

/**
 * Addresses requests with the SDK's own endpoint rules and signs them with
 * the SDK's own signer and credentials.
 */
export class RequestSigner {
  readonly #client: S3Client;
  readonly #endpoint: string | null;

  constructor(client: S3Client, endpoint: string | null) {
    this.#client = client;
    this.#endpoint = endpoint;
  }

  /** @param region Where the request's bucket is. */
  async sign(
    request: ObjectRequest,
    region: string,
    body: BodyFacts | null,
  ): Promise<SdkRequest> {
    const { url, authScheme } = await this.#locate(request.bucket, region);
    const headers = requestHeaders(request, url, body);
    const { config } = this.#client;
    const signer = await config.signer(authScheme);
    const signed = await signer.sign({
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      path: requestPath(url, request.rawKey),
      query: requestQuery(request.query),
      headers: asSigned(headers),
    }, {
      signingDate: new Date(Date.now() + config.systemClockOffset),
      signingRegion: authScheme.signingRegion,
      signingService: authScheme.signingName,
    });
    // What was signed as text goes out as the bytes that came.
    Object.assign(signed.headers, headers);
    return signed;
  }

  async #locate(bucket: string | null, region: string): Promise<Destination> {
    const { config } = this.#client;
    const place = this.#endpoint === null
      ? {
        UseFIPS: await config.useFipsEndpoint(),
        UseDualStack: await config.useDualstackEndpoint(),
      }
      : { Endpoint: this.#endpoint, ForcePathStyle: true };
    const endpoint = resolved(() =>
      config.endpointProvider({
        Region: region,
        ...(bucket === null ? {} : { Bucket: bucket }),
        ...place,
        // Session keys of S3 Express buckets would be a second kind of
        // credential; plain signatures work there as well.
        DisableS3ExpressSessionAuth: true,
      })
    );
    const scheme = endpoint.properties?.authSchemes?.find(({ name }) =>
      name === "sigv4"
    );
    const { signingName = "s3", signingRegion = region } = scheme ?? {};
    return {
      url: endpoint.url,
      authScheme: { name: "sigv4", signingName, signingRegion, properties: {} },
    };
  }
}

function resolved<T>(resolve: () => T): T {
  try {
    return resolve();
  } catch (cause) {
    throw new GatewayError(
      { kind: "invalid_request" },
      "AWS has no address for this bucket in this region.",
      { cause },
    );
  }
}

function requestPath(url: URL, rawKey: string | null): string {
  if (rawKey === null) return url.pathname;
  const bucketPath = url.pathname.endsWith("/")
    ? url.pathname
    : `${url.pathname}/`;
  return bucketPath + canonicalRawKey(rawKey);
}

function requestHeaders(
  request: ObjectRequest,
  url: URL,
  body: BodyFacts | null,
): Record<string, string> {
  const kept = Object.entries(request.headers)
    .filter(([name]) => !OWN_HEADERS.has(name));
  return {
    ...Object.fromEntries(kept),
    host: url.host,
    ...(body === null
      ? { "x-amz-content-sha256": EMPTY_SHA256 }
      : body.headers),
    ...(body === null ? {} : { "content-length": String(body.sizeBytes) }),
  };
}

/** Repeated names become lists, the one form in which the SDK takes them. */
function requestQuery(
  pairs: ObjectRequest["query"],
): Record<string, string | string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    values.set(name, [...values.get(name) ?? [], value]);
  }
  return Object.fromEntries(
    [...values].map(([name, list]) => [
      name,
      list.length === 1 ? list[0] ?? "" : list,
    ]),
  );
}

/**
 * Header values are bytes, held as one character each. The signer encodes
 * text as UTF-8, so bytes that are UTF-8 are shown to it as that text.
 */
function asSigned(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, decodeBytes(value)]),
  );
}

function decodeBytes(value: string): string {
  const bytes = Uint8Array.from(value, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    return value;
  }
}
