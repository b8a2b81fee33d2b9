import type { S3Call } from "./call.ts";
import { malformedXml, S3Failure } from "./failure.ts";
import type { S3Folder } from "./folder.ts";
import { receiveText } from "./body.ts";
import { readCount } from "./parameter.ts";
import {
  childText,
  element,
  parseXml,
  xmlDocument,
  xmlResponse,
} from "./xml.ts";

const XML_BYTES_MAX = 64 * 1024;
const PAGE_MAX = 10_000;

export function listBuckets(call: S3Call, folder: S3Folder): Response {
  const { query } = call;
  const prefix = query.get("prefix") ?? "";
  const countMax = readCount(query, "max-buckets", PAGE_MAX);
  const after = query.get("continuation-token") ?? "";
  const found = folder.list().filter(({ name }) =>
    name.startsWith(prefix) && name > after
  );
  const page = found.slice(0, countMax);
  const last = page.at(-1);
  const buckets = page.map((bucket) =>
    element("Bucket", [
      element("Name", bucket.name),
      element("CreationDate", new Date(bucket.createdAtMs).toISOString()),
      element("BucketRegion", bucket.region),
    ])
  );
  const body = [
    element("Owner", [element("ID", "sandbox")]),
    element("Buckets", buckets),
  ];
  if (prefix !== "") body.push(element("Prefix", prefix));
  if (found.length > page.length && last !== undefined) {
    body.push(element("ContinuationToken", last.name));
  }
  return xmlResponse(xmlDocument("ListAllMyBucketsResult", body));
}

export async function createBucket(
  call: S3Call,
  folder: S3Folder,
  region: string,
): Promise<Response> {
  const chosen = await readLocation(call.request);
  folder.create(call.bucket, chosen ?? region);
  return new Response(null, { headers: { location: `/${call.bucket}` } });
}

export function headBucket(call: S3Call, folder: S3Folder): Response {
  const { region } = folder.bucket(call.bucket);
  return new Response(null, { headers: { "x-amz-bucket-region": region } });
}

export function getBucketLocation(call: S3Call, folder: S3Folder): Response {
  const { region } = folder.bucket(call.bucket);
  // The oldest region has no name here.
  const location = region === "us-east-1" ? "" : region;
  return xmlResponse(xmlDocument("LocationConstraint", location));
}

export function deleteBucket(call: S3Call, folder: S3Folder): Response {
  folder.remove(call.bucket);
  return new Response(null, { status: 204 });
}

async function readLocation(request: Request): Promise<string | null> {
  // Some clients send neither a body nor a length.
  if (request.body === null) return null;
  const text = await receiveText(request, XML_BYTES_MAX);
  if (text === "") return null;
  const root = parseXml(text);
  if (root?.name !== "CreateBucketConfiguration") throw malformedXml();
  const region = childText(root, "LocationConstraint");
  if (region === null || region === "") return null;
  if (/^[a-z0-9-]{1,32}$/i.test(region)) return region;
  throw new S3Failure(
    "InvalidArgument",
    "The specified location-constraint is not valid",
  );
}
