import { assert, assertEquals } from "@std/assert";
import { createLog } from "../telemetry/log.ts";
import { PeriodicWork } from "./periodic_work.ts";

Deno.test("PeriodicWork goes on after a round that failed, until closed", async () => {
  const lines: string[] = [];
  const enough = Promise.withResolvers<void>();
  let rounds = 0;
  const periodic = new PeriodicWork({
    name: "sweep",
    intervalMs: 1,
    work: () => {
      if (++rounds === 3) enough.resolve();
      return rounds === 1
        ? Promise.reject(new Error("disk gone"))
        : Promise.resolve();
    },
    log: createLog("info", (line) => lines.push(line)),
  });
  periodic.start();
  await enough.promise;
  await periodic.close();
  const roundsAtClose = rounds;
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(rounds, roundsAtClose);
  assertEquals(lines.length, 1);
  assert(lines[0]?.includes("disk gone"));
});

Deno.test("PeriodicWork that never started closes at once", async () => {
  const periodic = new PeriodicWork({
    name: "sweep",
    intervalMs: 60_000,
    work: () => Promise.resolve(),
    log: createLog("info", () => {}),
  });
  await periodic.close();
});
