import type {
  BatchApi,
  ObjectStorage,
  ProviderDriver,
} from "../../domain/driver.ts";
import {
  type AwsCredentials,
  createBedrockClient,
  createS3Client,
} from "../../aws/clients.ts";
import { BedrockBatches } from "./batches.ts";
import { BucketRegions } from "./bucket_regions.ts";
import { ControlPlane } from "./control_plane.ts";
import { ObjectForwarder } from "./forwarder.ts";
import { allowLenientTimes } from "./lenient_times.ts";
import { BedrockModels } from "./models.ts";
import { ObjectSender } from "./object_sender.ts";
import { createObjectStorage } from "./objects.ts";
import { RequestSigner } from "./request_signer.ts";

export interface BedrockDriverConfig {
  readonly region: string;
  /** Another S3 server, reached in path style; null: AWS. */
  readonly s3Endpoint: string | null;
  /** Another server of Bedrock's control plane; null: AWS. */
  readonly bedrockEndpoint: string | null;
  /** The role that every job runs under; null: no job can be started. */
  readonly batchRoleArn: string | null;
  /** Absent: the AWS SDK's own chain. */
  readonly credentials?: AwsCredentials;
}

/** The one provider with real S3 and batches that it writes itself. */
export interface BedrockDriver extends ProviderDriver {
  readonly storage: ObjectStorage;
  readonly batches: BatchApi;
}

/** The gateway's own retries know which calls may be repeated. */
const SDK_ATTEMPTS_MAX = 1;

/**
 * Amazon Bedrock and S3 under the AWS SDK's own credential chain: environment,
 * profile files, web identity, container and instance roles. Credentials are
 * looked for on the first call, so this never fails.
 */
export function createBedrockDriver(
  config: BedrockDriverConfig,
): BedrockDriver {
  const { region, s3Endpoint, bedrockEndpoint, credentials = null } = config;
  const common = { region, credentials, attemptsMax: SDK_ATTEMPTS_MAX };
  const s3 = createS3Client({ ...common, endpoint: s3Endpoint });
  const bedrock = createBedrockClient({ ...common, endpoint: bedrockEndpoint });
  allowLenientTimes(bedrock.client);
  const signer = new RequestSigner(s3.client, s3Endpoint);
  const forwarder = new ObjectForwarder(
    new ObjectSender(s3.transport, signer),
    new BucketRegions(region),
  );
  const plane = new ControlPlane(bedrock.client);
  const batches = new BedrockBatches(plane, config.batchRoleArn);
  return {
    provider: "bedrock",
    storage: createObjectStorage(s3.client, forwarder),
    batches,
    models: new BedrockModels(plane),
    probe: (call) => batches.probe(call),
    close() {
      s3.client.destroy();
      bedrock.client.destroy();
    },
  };
}
