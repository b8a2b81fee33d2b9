import type { ByteRange } from "../domain/bytes.ts";
import { GatewayError } from "../domain/failure.ts";
import type { ObjectInfo } from "../domain/object.ts";
import { documentAnswer, emptyAnswer, type S3Answer } from "./answer.ts";
import type { ObjectCall, Parameters } from "./call.ts";
import {
  judgeRead,
  parsePutCondition,
  parseReadConditions,
} from "./conditions.ts";
import {
  etagMatches,
  parseEtagCondition,
  quoteEtag,
  soleEtag,
} from "./etag.ts";
import { openBody } from "./exchange.ts";
import type { FileExchange } from "./file_exchange.ts";
import {
  checksumHeaders,
  objectAnswerHeaders,
  parseObjectHeaders,
  refuseUnsupportedHeaders,
} from "./object_headers.ts";
import { readInteger } from "./parameter.ts";
import { chooseRange, contentRange } from "./range.ts";
import { branch, leaf } from "./xml.ts";

const PART_NUMBER_MAX = 10_000;

export async function putObject(
  exchange: FileExchange,
  { bucket, key }: ObjectCall,
): Promise<S3Answer> {
  const { context, files, provider, storage, headers } = exchange;
  refuseUnsupportedHeaders(headers);
  const condition = parsePutCondition(headers);
  const body = openBody(exchange, storage.fileBytesMax);
  const object = await files.put(context, provider, {
    bucket,
    key,
    headers: parseObjectHeaders(headers, body),
    body,
    condition,
  });
  return emptyAnswer(200, {
    etag: quoteEtag(object.etag),
    ...checksumHeaders(object.headers.checksums),
  });
}

export async function headObject(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const object = await findObject(exchange, call);
  const reading = planReading(exchange.headers, call.parameters, object);
  if (reading.kind === "not_modified") return notModified(object);
  const headers = { ...reading.headers, "content-length": `${reading.bytes}` };
  return emptyAnswer(reading.status, headers);
}

export async function getObject(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const { context, files, provider } = exchange;
  const object = await findObject(exchange, call);
  const reading = planReading(exchange.headers, call.parameters, object);
  if (reading.kind === "not_modified") return notModified(object);
  const stream = await files.open(context, provider, object, reading.range);
  return {
    status: reading.status,
    headers: reading.headers,
    body: { kind: "stream", stream, sizeBytes: reading.bytes },
  };
}

/** GetObjectAttributes gives the ETag without quotes, unlike all others. */
export async function getObjectAttributes(
  exchange: FileExchange,
  call: ObjectCall,
): Promise<S3Answer> {
  const wanted = (exchange.headers.get("x-amz-object-attributes") ?? "")
    .split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (wanted.length === 0) {
    throw new GatewayError(
      { kind: "invalid_argument", argument: "x-amz-object-attributes" },
      "The x-amz-object-attributes header specifying the attributes to be " +
        "retrieved is either missing or empty",
    );
  }
  const object = await findObject(exchange, call);
  const checksums = Object.entries(object.headers.checksums).map((
    [name, value],
  ) => leaf(`Checksum${name.toUpperCase()}`, value));
  const attributes = [
    leaf("ETag", object.etag),
    checksums.length === 0 ? null : branch("Checksum", checksums),
    leaf("StorageClass", "STANDARD"),
    leaf("ObjectSize", object.sizeBytes),
  ].filter((attribute) =>
    attribute !== null && wanted.includes(attribute.name)
  );
  return documentAnswer(branch("GetObjectAttributesResponse", attributes), {
    "last-modified": object.modifiedAt.toUTCString(),
  });
}

export async function deleteObject(
  exchange: FileExchange,
  { bucket, key, parameters }: ObjectCall,
): Promise<S3Answer> {
  const { context, files, provider, headers } = exchange;
  refuseVersion(parameters);
  refuseDirectoryConditions(headers);
  const condition = parseEtagCondition(headers.get("if-match"));
  const ifMatch = soleEtag(condition);
  if (condition !== null && ifMatch === null) {
    // "*" and lists name no file by id, so the key itself must be there.
    const object = await files.find(context, provider, {
      bucket,
      key,
      ifMatch: null,
    });
    if (!etagMatches(condition, object.etag)) throw notMatched("If-Match");
  }
  await files.delete(context, provider, { bucket, key, ifMatch });
  return emptyAnswer(204);
}

// ---------------------------------------------------------------- reading

async function findObject(
  { context, files, provider, headers }: FileExchange,
  { bucket, key, parameters }: ObjectCall,
): Promise<ObjectInfo> {
  refuseVersion(parameters);
  refuseUnsupportedHeaders(headers);
  const ifMatch = soleEtag(parseEtagCondition(headers.get("if-match")));
  return await files.find(context, provider, { bucket, key, ifMatch });
}

type Reading =
  | { readonly kind: "not_modified" }
  | {
    readonly kind: "answer";
    readonly status: 200 | 206;
    readonly headers: Readonly<Record<string, string>>;
    /** How many bytes of body, or of body that a HEAD leaves out. */
    readonly bytes: number;
    readonly range: ByteRange | null;
  };

/**
 * Conditions first, then the range, as S3 does.
 *
 * @throws {GatewayError} `precondition_failed`, `invalid_range`.
 */
function planReading(
  headers: Headers,
  parameters: Parameters,
  object: ObjectInfo,
): Reading {
  const verdict = judgeRead(parseReadConditions(headers), object);
  if (verdict.kind === "not_modified") return verdict;
  if (verdict.kind === "failed") throw notMatched(verdict.condition);
  const base = objectAnswerHeaders(object, parameters);
  const range = chooseSlice(headers, parameters, object);
  if (range !== null) {
    return {
      kind: "answer",
      status: 206,
      headers: {
        ...base,
        "content-range": contentRange(range, object.sizeBytes),
      },
      bytes: range.lengthBytes,
      range,
    };
  }
  // A checksum speaks of the whole object: boto3 would compare it with a part.
  const wanted = headers.get("x-amz-checksum-mode")?.toUpperCase();
  const checksums = wanted === "ENABLED" ? object.headers.checksums : {};
  return {
    kind: "answer",
    status: 200,
    headers: { ...base, ...checksumHeaders(checksums) },
    bytes: object.sizeBytes,
    range: null,
  };
}

/** The slice to give; null for the whole object. */
function chooseSlice(
  headers: Headers,
  parameters: Parameters,
  object: ObjectInfo,
): ByteRange | null {
  const bounds = { min: 1, max: PART_NUMBER_MAX };
  const part = readInteger(parameters, "partNumber", bounds);
  const header = headers.get("range");
  if (part !== null && header !== null) {
    throw new GatewayError(
      { kind: "invalid_request" },
      "Cannot specify both Range header and partNumber query parameter",
    );
  }
  if (part !== null) return wholeAsPart(part, object);
  const ifRange = parseEtagCondition(headers.get("if-range"));
  if (ifRange !== null && !etagMatches(ifRange, object.etag)) return null;
  const choice = chooseRange(header, object.sizeBytes);
  if (choice.kind === "unsatisfiable") {
    throw new GatewayError(
      {
        kind: "invalid_range",
        sizeBytes: object.sizeBytes,
      },
      "The requested range is not satisfiable",
    );
  }
  return choice.kind === "slice" ? choice.range : null;
}

/** An object that was put in one piece has one part. */
function wholeAsPart(
  part: number,
  { sizeBytes }: ObjectInfo,
): ByteRange | null {
  if (part > 1) {
    throw new GatewayError(
      { kind: "invalid_range", sizeBytes },
      "The requested partnumber is not satisfiable",
    );
  }
  return sizeBytes === 0 ? null : { offsetBytes: 0, lengthBytes: sizeBytes };
}

function notModified(object: ObjectInfo): S3Answer {
  return emptyAnswer(304, {
    etag: quoteEtag(object.etag),
    "last-modified": object.modifiedAt.toUTCString(),
  });
}

function notMatched(condition: string): GatewayError {
  return new GatewayError(
    { kind: "precondition_failed", condition },
    "At least one of the pre-conditions you specified did not hold",
  );
}

// --------------------------------------------------------------- refusals

/** Without versioning, S3 knows one version, called `null`. */
function refuseVersion(parameters: Parameters): void {
  const versionId = parameters.get("versionId");
  if (versionId === undefined || versionId === "null") return;
  throw new GatewayError(
    {
      kind: "invalid_argument",
      argument: "versionId",
      value: versionId.slice(0, 128),
    },
    "Invalid version id specified",
  );
}

/** Conditions that S3 itself keeps for directory buckets. */
function refuseDirectoryConditions(headers: Headers): void {
  for (const name of ["last-modified-time", "size"]) {
    if (!headers.has(`x-amz-if-match-${name}`)) continue;
    throw new GatewayError(
      { kind: "unsupported" },
      `The header x-amz-if-match-${name} implies functionality that is not ` +
        "implemented.",
    );
  }
}
