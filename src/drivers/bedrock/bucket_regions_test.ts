import { assertEquals } from "@std/assert";
import { BucketRegions } from "./bucket_regions.ts";

Deno.test("BucketRegions knows what it learnt, and home for the rest", () => {
  const regions = new BucketRegions("us-west-2");
  regions.learn("moved", "eu-west-1");
  regions.learn("moved", "eu-west-3");
  assertEquals(
    ["moved", "other", null].map((bucket) => regions.find(bucket)),
    ["eu-west-3", "us-west-2", "us-west-2"],
  );
});

Deno.test("BucketRegions forgets what it learnt first", () => {
  const regions = new BucketRegions("home");
  for (let index = 0; index <= 1_000; index++) {
    regions.learn(`b${index}`, "far");
  }
  assertEquals(
    ["b0", "b1", "b1000"].map((bucket) => regions.find(bucket)),
    ["home", "far", "far"],
  );
});
