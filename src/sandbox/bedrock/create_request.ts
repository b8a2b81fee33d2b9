import { z } from "zod";
import { list, oneOf, required, text } from "./constraint.ts";
import { BedrockFailure } from "./failure.ts";

// Lengths and patterns: botocore model, bedrock/2023-04-20. Patterns that
// could match one text in many ways are written in a form that cannot.
export const JOB_NAME = /^[a-zA-Z0-9][a-zA-Z0-9+.-]*$/;
const TOKEN = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/;
const ROLE_ARN = /^arn:aws(-[^:]+)?:iam::([0-9]{12})?:role\/.+$/;
const S3_URI =
  /^s3:\/\/[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:\/[-!_*'().a-z0-9A-Z]+(?:\/[-!_*'().a-z0-9A-Z]+)*)?\/?$/;
const ACCOUNT = /^[0-9]{12}$/;
const KMS_KEY =
  /^(?:arn:aws(-[^:]+)?:kms:[a-zA-Z0-9-]*:[0-9]{12}:(?:key\/[a-zA-Z0-9-]{36}|alias\/[a-zA-Z0-9\-_/]+)|[a-zA-Z0-9-]{36}|alias\/[a-zA-Z0-9\-_/]+)$/;
const NETWORK_ID = /^[-0-9a-zA-Z]+$/;
const TAG_TEXT = /^[a-zA-Z0-9\s._:/=+@-]*$/;

const DOTTED_ID =
  "[a-z0-9-]{1,63}[.][a-z0-9-]{1,63}[.]?[a-z0-9-]{1,63}(?::[a-z0-9-]{1,63}){0,2}";
const PLAIN_ID = "(?:[0-9a-zA-Z][_-]?)+";
const MODEL_ID = new RegExp(
  "^(?:arn:aws(?:-[^:]+)?:bedrock:[a-z0-9-]{1,20}:(?:" +
    "[0-9]{12}:custom-model/[a-z0-9-]{1,63}[.][a-z0-9-:]{1,63}/[a-z0-9]{12}|" +
    `:foundation-model/(?:${DOTTED_ID}|${PLAIN_ID})|` +
    "[0-9]{12}:(?:inference-profile|application-inference-profile)/[a-zA-Z0-9-:.]+" +
    `)|${DOTTED_ID}|${PLAIN_ID})$`,
);

const TAGS_MAX = 200;
/** AWS's general limit of tags a resource. */
export const TAGS_PER_RESOURCE_MAX = 50;

const s3Uri = text({ min: 1, max: 1024 }, S3_URI);
const account = text({ min: 12, max: 12 }, ACCOUNT);
const networkId = text({ min: 0, max: 32 }, NETWORK_ID);

export const tagKey = text({ min: 1, max: 128 }, TAG_TEXT);
export const tagList = list(
  z.object({ key: tagKey, value: text({ min: 0, max: 256 }, TAG_TEXT) }),
  { min: 0, max: TAGS_MAX },
);

export type Tag = z.infer<typeof tagList>[number];

/** CreateModelInvocationJob's body; unknown members are ignored, as AWS does. */
export const createRequestSchema = z.object({
  jobName: text({ min: 1, max: 63 }, JOB_NAME),
  roleArn: text({ min: 0, max: 2048 }, ROLE_ARN),
  clientRequestToken: text({ min: 1, max: 256 }, TOKEN).optional(),
  modelId: text({ min: 1, max: 2048 }, MODEL_ID),
  inputDataConfig: z.object({
    s3InputDataConfig: z.object({
      s3InputFormat: oneOf(["JSONL"]).optional(),
      s3Uri,
      s3BucketOwner: account.optional(),
    }, required),
  }, required),
  outputDataConfig: z.object({
    s3OutputDataConfig: z.object({
      s3Uri,
      s3EncryptionKeyId: text({ min: 1, max: 2048 }, KMS_KEY).optional(),
      s3BucketOwner: account.optional(),
    }, required),
  }, required),
  vpcConfig: z.object({
    subnetIds: list(networkId, { min: 1, max: 16 }),
    securityGroupIds: list(networkId, { min: 1, max: 5 }),
  }).optional(),
  timeoutDurationInHours: z.int()
    .min(24, "Member must have value greater than or equal to 24")
    .max(168, "Member must have value less than or equal to 168")
    .optional(),
  tags: tagList.optional(),
  modelInvocationType: oneOf(["InvokeModel", "Converse"]).optional(),
});

export type CreateRequest = z.infer<typeof createRequestSchema>;

/** @throws {BedrockFailure} for what no pattern of the model can say. */
export function checkTags(
  tags: readonly Tag[],
  tooMany: "ValidationException" | "TooManyTagsException",
): void {
  const keys = new Set(tags.map(({ key }) => key));
  if (keys.size < tags.length) {
    throw new BedrockFailure("ValidationException", "A tag key occurs twice.");
  }
  if ([...keys].some((key) => key.toLowerCase().startsWith("aws:"))) {
    throw new BedrockFailure(
      "ValidationException",
      "Tag keys that start with aws: are reserved.",
    );
  }
  if (tags.length > TAGS_PER_RESOURCE_MAX) {
    throw new BedrockFailure(
      tooMany,
      `A resource can have ${TAGS_PER_RESOURCE_MAX} tags at most.`,
    );
  }
}
