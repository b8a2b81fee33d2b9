import { GatewayError } from "../domain/failure.ts";
import { documentAnswer, emptyAnswer, type S3Answer } from "./answer.ts";
import type { BucketCall, ServiceCall } from "./call.ts";
import { readDocument } from "./exchange.ts";
import type { FileExchange } from "./file_exchange.ts";
import { decodeToken, encodeToken } from "./listing.ts";
import { ownerElement } from "./lists.ts";
import { refuseUnsupportedHeaders } from "./object_headers.ts";
import { readInteger } from "./parameter.ts";
import { branch, leaf, parseDocument } from "./xml.ts";

/**
 * Buckets of a provider that has none: a name is a label for routing, every
 * name exists, and only those that the configuration mentions can be listed.
 */

const BUCKETS_MAX = 10_000;

/** S3 wants a date; a label has none, so it is the oldest there is. */
const CREATED = "1970-01-01T00:00:00.000Z";

export function listBuckets(
  exchange: FileExchange,
  { parameters }: ServiceCall,
): S3Answer {
  const prefix = parameters.get("prefix") ?? "";
  const token = parameters.get("continuation-token");
  const after = token === undefined ? "" : decodeToken(token);
  const countMax =
    readInteger(parameters, "max-buckets", { min: 1, max: BUCKETS_MAX }) ??
      BUCKETS_MAX;
  const names = exchange.buckets
    .filter((name) => name.startsWith(prefix) && name > after).toSorted();
  const page = names.slice(0, countMax);
  const last = page.at(-1);
  return documentAnswer(branch("ListAllMyBucketsResult", [
    ownerElement(exchange),
    branch(
      "Buckets",
      page.map((name) =>
        branch("Bucket", [
          leaf("Name", name),
          leaf("CreationDate", CREATED),
          leaf("BucketRegion", exchange.context.region),
        ])
      ),
    ),
    names.length > page.length && last !== undefined
      ? leaf("ContinuationToken", encodeToken(last))
      : null,
    prefix === "" ? null : leaf("Prefix", prefix),
  ]));
}

export function headBucket(exchange: FileExchange): S3Answer {
  return emptyAnswer(200, {
    "content-type": "application/xml",
    "x-amz-access-point-alias": "false",
    "x-amz-bucket-region": exchange.context.region,
  });
}

/** A no-op: the bucket exists already, and is the caller's own. */
export async function createBucket(
  exchange: FileExchange,
  call: BucketCall,
): Promise<S3Answer> {
  refuseUnsupportedHeaders(exchange.headers);
  if (exchange.body.stream !== null) {
    const { bytes } = await readDocument(exchange);
    if (bytes.length > 0) requireBucketConfiguration(bytes);
  }
  return emptyAnswer(200, { location: `/${call.bucket}` });
}

function requireBucketConfiguration(bytes: Uint8Array): void {
  const root = parseDocument(bytes);
  if (root.name === "CreateBucketConfiguration") return;
  throw new GatewayError(
    { kind: "malformed_xml" },
    "The XML you provided was not a CreateBucketConfiguration.",
  );
}

/** A no-op: what was put there stays, and is deleted by its keys. */
export function deleteBucket(): S3Answer {
  return emptyAnswer(204);
}

/** S3 answers an empty element for us-east-1. */
export function getBucketLocation(exchange: FileExchange): S3Answer {
  const { region } = exchange.context;
  const location = region === "us-east-1" ? "" : region;
  return documentAnswer(leaf("LocationConstraint", location));
}
