/** Every S3 operation the gateway knows, by what it is about. */
export type ServiceOperation = "ListBuckets";

export type BucketOperation =
  | "HeadBucket"
  | "CreateBucket"
  | "DeleteBucket"
  | "GetBucketLocation"
  | "ListObjects"
  | "ListObjectsV2"
  | "DeleteObjects"
  | "ListMultipartUploads";

export type ObjectOperation =
  | "PutObject"
  | "GetObject"
  | "HeadObject"
  | "GetObjectAttributes"
  | "DeleteObject"
  | "CopyObject"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "UploadPartCopy"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "ListParts";

export type S3Operation = ServiceOperation | BucketOperation | ObjectOperation;

export const S3_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"] as const;

export type S3Method = typeof S3_METHODS[number];

/**
 * Sub-resource, then method, to operation. "" is the resource itself. A copy
 * and a version 2 list share their row with the plain form, and are told apart
 * by `x-amz-copy-source` and `list-type`.
 */
export type Routes<Operation> = Readonly<
  Record<string, Partial<Record<S3Method, Operation>>>
>;

export const BUCKET_ROUTES = {
  "": {
    GET: "ListObjects",
    HEAD: "HeadBucket",
    PUT: "CreateBucket",
    DELETE: "DeleteBucket",
  },
  location: { GET: "GetBucketLocation" },
  delete: { POST: "DeleteObjects" },
  uploads: { GET: "ListMultipartUploads" },
} as const satisfies Routes<BucketOperation>;

export const OBJECT_ROUTES = {
  "": {
    GET: "GetObject",
    HEAD: "HeadObject",
    PUT: "PutObject",
    DELETE: "DeleteObject",
  },
  attributes: { GET: "GetObjectAttributes" },
  uploads: { POST: "CreateMultipartUpload" },
  uploadId: {
    GET: "ListParts",
    PUT: "UploadPart",
    POST: "CompleteMultipartUpload",
    DELETE: "AbortMultipartUpload",
  },
} as const satisfies Routes<ObjectOperation>;

/**
 * Query names that make a request another operation than its path and method
 * say, taken from the request URIs of botocore's S3 model. Doing the plain
 * operation instead would be a silent success: `PUT /bucket?policy` must not
 * create a bucket.
 */
export const UNSUPPORTED_SUBRESOURCES: ReadonlySet<string> = new Set([
  "abac",
  "accelerate",
  "acl",
  "analytics",
  "annotation",
  "append",
  "cors",
  "encryption",
  "intelligent-tiering",
  "inventory",
  "legal-hold",
  "lifecycle",
  "logging",
  "metadataAnnotationTable",
  "metadataConfiguration",
  "metadataInventoryTable",
  "metadataJournalTable",
  "metadataTable",
  "metrics",
  "notification",
  "object-lock",
  "ownershipControls",
  "policy",
  "policyStatus",
  "publicAccessBlock",
  "renameObject",
  "replication",
  "requestPayment",
  "restore",
  "retention",
  "select",
  "select-type",
  "session",
  "tagging",
  "torrent",
  "versioning",
  "versions",
  "website",
]);

/** Query parameters that some operation reads, sub-resources included. */
export const PARAMETERS: ReadonlySet<string> = new Set([
  "attributes",
  "bucket-region",
  "continuation-token",
  "delete",
  "delimiter",
  "encoding-type",
  "fetch-owner",
  "key-marker",
  "list-type",
  "location",
  "marker",
  "max-buckets",
  "max-keys",
  "max-parts",
  "max-uploads",
  "part-number-marker",
  "partNumber",
  "prefix",
  "response-cache-control",
  "response-content-disposition",
  "response-content-encoding",
  "response-content-language",
  "response-content-type",
  "response-expires",
  "start-after",
  "upload-id-marker",
  "uploadId",
  "uploads",
  "versionId",
]);
