import { type Failure, GatewayError } from "../domain/failure.ts";
import { decodePercent, type RequestTarget } from "../http/target.ts";
import {
  BUCKET_ROUTES,
  type BucketOperation,
  OBJECT_ROUTES,
  type ObjectOperation,
  PARAMETERS,
  type Routes,
  S3_METHODS,
  type S3Method,
  type ServiceOperation,
  UNSUPPORTED_SUBRESOURCES,
} from "./operation.ts";

/** Where the S3 surface starts; part of the path that clients sign. */
export const S3_PATH = "/bedrock/files";

/** One request, as far as its method, target and headers tell. */
export type S3Call = ServiceCall | BucketCall | ObjectCall | RefusedCall;

export interface ServiceCall {
  readonly scope: "service";
  readonly operation: ServiceOperation;
  readonly method: S3Method;
  readonly bucket: null;
  readonly parameters: Parameters;
}

export interface BucketCall {
  readonly scope: "bucket";
  readonly operation: BucketOperation;
  readonly method: S3Method;
  /** Decoded, of any shape; see `requireBucketName`. */
  readonly bucket: string;
  readonly parameters: Parameters;
}

export interface ObjectCall {
  readonly scope: "object";
  readonly operation: ObjectOperation;
  readonly method: S3Method;
  readonly bucket: string;
  /** Decoded; not empty. */
  readonly key: string;
  /** As it stood on the wire. */
  readonly rawKey: string;
  readonly parameters: Parameters;
}

/** A request that is none of the operations; refused once it is known who asks. */
export interface RefusedCall {
  readonly scope: "refused";
  readonly operation: "Refused";
  readonly bucket: string | null;
  readonly failure: Failure;
  readonly message: string;
}

/** Query parameters that operations read; each was given at most once. */
export type Parameters = ReadonlyMap<string, string>;

/** What path and sub-resource leave to be told. */
interface Resource {
  readonly bucket: string | null;
  readonly key: string;
  readonly rawKey: string;
}

/**
 * Reads method, path, query and `x-amz-copy-source`, and nothing else. Names
 * are not judged here, since providers differ in what they accept.
 *
 * @throws {GatewayError} `invalid_uri`, `invalid_argument`.
 */
export function parseS3Call(
  methodText: string,
  target: RequestTarget,
  headers: Headers,
): S3Call {
  const resource = parseResource(target.rawPath);
  const { bucket } = resource;
  const method = S3_METHODS.find((known) => known === methodText);
  if (method === undefined) return notAllowed(bucket, methodText);
  const unsupported = target.query.find(([name]) =>
    UNSUPPORTED_SUBRESOURCES.has(name)
  );
  if (unsupported !== undefined) {
    return notImplemented(bucket, `The sub-resource "${unsupported[0]}"`);
  }
  const parameters = parseParameters(target.query);
  if (bucket === null) return serviceCall(method, parameters);
  return resource.key === ""
    ? bucketCall(method, bucket, parameters)
    : objectCall(method, { ...resource, bucket }, parameters, headers);
}

/** Cuts the raw path: a key may hold `..`, `//` and `%2F`. */
function parseResource(rawPath: string): Resource {
  if (!rawPath.startsWith(S3_PATH)) throw notHere();
  const rest = rawPath.slice(S3_PATH.length);
  if (rest === "" || rest === "/") {
    return { bucket: null, key: "", rawKey: "" };
  }
  if (!rest.startsWith("/")) throw notHere();
  const slash = rest.indexOf("/", 1);
  const rawBucket = slash < 0 ? rest.slice(1) : rest.slice(1, slash);
  const rawKey = slash < 0 ? "" : rest.slice(slash + 1);
  return {
    bucket: decodePercent(rawBucket),
    key: decodePercent(rawKey),
    rawKey,
  };
}

function notHere(): GatewayError {
  return new GatewayError(
    { kind: "invalid_uri" },
    `S3 is served under ${S3_PATH} and nowhere else.`,
  );
}

/** Names that S3 would ignore are ignored; `x-id` is one of them. */
function parseParameters(query: RequestTarget["query"]): Parameters {
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    if (!PARAMETERS.has(name)) continue;
    if (parameters.has(name)) {
      throw new GatewayError(
        { kind: "invalid_argument", argument: name, value },
        `The query parameter "${name}" was given more than once.`,
      );
    }
    parameters.set(name, value);
  }
  return parameters;
}

function serviceCall(
  method: S3Method,
  parameters: Parameters,
): ServiceCall | RefusedCall {
  if (method !== "GET") return notAllowed(null, method);
  return {
    scope: "service",
    operation: "ListBuckets",
    method,
    bucket: null,
    parameters,
  };
}

function bucketCall(
  method: S3Method,
  bucket: string,
  parameters: Parameters,
): BucketCall | RefusedCall {
  const subresource = subresourceOf(BUCKET_ROUTES, parameters);
  if (method === "POST" && subresource === "") {
    return notImplemented(bucket, "A form upload (POST Object)");
  }
  const routes: Routes<BucketOperation> = BUCKET_ROUTES;
  const plain = routes[subresource]?.[method];
  if (plain === undefined) return notAllowed(bucket, method);
  const secondList = plain === "ListObjects" &&
    parameters.get("list-type") === "2";
  const operation = secondList ? "ListObjectsV2" : plain;
  return { scope: "bucket", operation, method, bucket, parameters };
}

function objectCall(
  method: S3Method,
  resource: Resource & { readonly bucket: string },
  parameters: Parameters,
  headers: Headers,
): ObjectCall | RefusedCall {
  const subresource = subresourceOf(OBJECT_ROUTES, parameters);
  const routes: Routes<ObjectOperation> = OBJECT_ROUTES;
  const plain = routes[subresource]?.[method];
  if (plain === undefined) return notAllowed(resource.bucket, method);
  const isPart = plain === "UploadPart";
  const isWrite = plain === "PutObject" || isPart;
  if (isWrite && isPart !== parameters.has("partNumber")) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "partNumber" },
      "A part is uploaded with both uploadId and partNumber.",
    );
  }
  const isCopy = isWrite && headers.has("x-amz-copy-source");
  const operation = isCopy ? copyOf(plain) : plain;
  return { scope: "object", operation, method, ...resource, parameters };
}

function copyOf(plain: "PutObject" | "UploadPart"): ObjectOperation {
  return plain === "PutObject" ? "CopyObject" : "UploadPartCopy";
}

/** The one sub-resource that the query names, "" for none. */
function subresourceOf(
  routes: Readonly<Record<string, unknown>>,
  parameters: Parameters,
): string {
  const named = [...parameters.keys()].filter((name) =>
    Object.hasOwn(routes, name)
  );
  if (named.length > 1) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: named.join(", ") },
      `Conflicting query string parameters: ${named.join(", ")}`,
    );
  }
  return named[0] ?? "";
}

function notAllowed(bucket: string | null, method: string): RefusedCall {
  return {
    scope: "refused",
    operation: "Refused",
    bucket,
    failure: { kind: "method_not_allowed" },
    message: `The method ${
      method.slice(0, 16)
    } is not allowed against this resource.`,
  };
}

function notImplemented(bucket: string | null, what: string): RefusedCall {
  return {
    scope: "refused",
    operation: "Refused",
    bucket,
    failure: { kind: "unsupported" },
    message: `${what} is not implemented by this gateway.`,
  };
}
