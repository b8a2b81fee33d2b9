import { S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { assertRejects } from "@std/assert";
import type { Credential } from "../../auth/credentials.ts";
import { ADMIN, type S3Server } from "./s3_server.ts";

export interface ClientOptions {
  readonly provider?: string;
  readonly region?: string;
  readonly credential?: Credential;
}

/** The AWS SDK's client, which names its provider behind the signature. */
export function clientOf(
  server: S3Server,
  { provider = "openai", region = "eu-west-1", credential = ADMIN }:
    ClientOptions = {},
): S3Client {
  const client = new S3Client({
    endpoint: server.url,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: credential.accessKeyId,
      secretAccessKey: credential.secretAccessKey,
    },
  });
  server.closeWith(() => client.destroy());
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { headers: Record<string, string> };
      request.headers["x-model-provider"] = provider;
      return next(args);
    },
    { step: "finalizeRequest", priority: "low" },
  );
  return client;
}

/** The error by which a call was refused. */
export async function refusalOf(
  call: Promise<unknown>,
): Promise<S3ServiceException> {
  return await assertRejects(() => call, S3ServiceException);
}
