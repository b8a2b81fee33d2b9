import { openFileObjectStore } from "../src/object_store/file_store.ts";
import { createS3ObjectStore } from "../src/object_store/s3_store.ts";
import { startS3Simulator } from "../src/sandbox/s3/simulator.ts";
import {
  type RunningStore,
  testObjectStore,
} from "./support/object_store_suite.ts";

/** What `ObjectStore` promises, asked of every implementation. */

testObjectStore({
  name: "file object store",
  async open(): Promise<RunningStore> {
    const directory = await Deno.makeTempDir();
    const store = await openFileObjectStore({ directory });
    return {
      store,
      async [Symbol.asyncDispose](): Promise<void> {
        await store.close();
        await Deno.remove(directory, { recursive: true });
      },
    };
  },
});

testObjectStore({
  name: "S3 object store",
  async open(): Promise<RunningStore> {
    const simulator = await startS3Simulator({ buckets: ["store"] });
    const store = createS3ObjectStore({
      bucket: "store",
      prefix: "finops/objects",
      region: "us-west-2",
      endpoint: simulator.url,
      credentials: { accessKeyId: "store", secretAccessKey: "store" },
    });
    return {
      store,
      async [Symbol.asyncDispose](): Promise<void> {
        await store.close();
        await simulator.close();
      },
    };
  },
});
