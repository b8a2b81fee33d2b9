import type { CreateModelInvocationJobCommandInput } from "@aws-sdk/client-bedrock";
import type { BatchOrder, BedrockOrder } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";

/**
 * CreateModelInvocationJob's input. What was not given is left out, so that
 * Bedrock's own defaults hold.
 *
 * @param roleArn The one role that the gateway's operator has chosen.
 * @throws {GatewayError} `invalid_request` without a role.
 */
export function toWireOrder(
  order: BatchOrder,
  roleArn: string | null,
): CreateModelInvocationJobCommandInput {
  const { bedrock, input } = order;
  if (roleArn === null) {
    throw new GatewayError(
      { kind: "invalid_request" },
      "Jobs on Amazon Bedrock run under the role that the gateway's operator " +
        "sets in BEDROCK_BATCH_ROLE_ARN, which is not set.",
    );
  }
  if (bedrock === null || input.kind !== "object") {
    throw new GatewayError(
      { kind: "internal" },
      "An order for Amazon Bedrock has to name objects in S3.",
    );
  }
  return {
    jobName: order.jobName,
    modelId: order.modelId,
    roleArn,
    clientRequestToken: bedrock.clientRequestToken,
    inputDataConfig: {
      s3InputDataConfig: {
        s3Uri: input.s3Uri,
        s3InputFormat: "JSONL",
        s3BucketOwner: bedrock.inputBucketOwner ?? undefined,
      },
    },
    outputDataConfig: {
      s3OutputDataConfig: {
        s3Uri: bedrock.outputUri,
        s3EncryptionKeyId: bedrock.outputEncryptionKeyId ?? undefined,
        s3BucketOwner: bedrock.outputBucketOwner ?? undefined,
      },
    },
    vpcConfig: toVpcConfig(bedrock.vpcConfig),
    timeoutDurationInHours: bedrock.timeoutDurationInHours ?? undefined,
    modelInvocationType: bedrock.modelInvocationType ?? undefined,
    tags: bedrock.tags.length === 0
      ? undefined
      : bedrock.tags.map(({ key, value }) => ({ key, value })),
  };
}

function toVpcConfig(
  vpcConfig: BedrockOrder["vpcConfig"],
): CreateModelInvocationJobCommandInput["vpcConfig"] {
  if (vpcConfig === null) return undefined;
  return {
    subnetIds: [...vpcConfig.subnetIds],
    securityGroupIds: [...vpcConfig.securityGroupIds],
  };
}
