import { S3Client } from "@aws-sdk/client-s3";
import { startS3Simulator } from "./simulator.ts";

export const BUCKET = "your-s3-bucket";

export interface Fixture {
  readonly url: string;
  readonly s3: S3Client;
  readonly dataDir: string;
}

/** A test with a simulator of its own that must leave nothing open behind. */
export function simulatorTest(
  name: string,
  run: (fixture: Fixture) => Promise<void>,
): void {
  Deno.test({
    name: `S3 simulator: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const dataDir = await Deno.makeTempDir();
      const simulator = await startS3Simulator({ dataDir });
      const s3 = clientFor(simulator.url);
      try {
        await run({ url: simulator.url, s3, dataDir });
      } finally {
        s3.destroy();
        await simulator.close();
        await Deno.remove(dataDir, { recursive: true });
      }
    },
  });
}

export function clientFor(
  endpoint: string,
  accessKeyId: string = "sandbox",
): S3Client {
  return new S3Client({
    endpoint,
    region: "us-west-2",
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey: "sandbox" },
  });
}
