import { assertEquals } from "@std/assert";
import { Drain } from "./drain.ts";

const REQUEST = new Request("http://h/");

Deno.test("Drain waits for requests in flight and sends new ones elsewhere", async () => {
  const answer = Promise.withResolvers<Response>();
  const drain = new Drain(() => answer.promise);
  const inFlight = drain.handle(REQUEST);
  let drained = false;
  const draining = drain.begin().then(() => {
    drained = true;
  });
  const late = await drain.handle(REQUEST);
  assertEquals([late.status, late.headers.get("connection")], [503, "close"]);
  assertEquals([drained], [false]);
  answer.resolve(new Response("done"));
  assertEquals(await (await inFlight).text(), "done");
  await draining;
});

Deno.test("Drain has nothing to wait for where nothing is in flight", async () => {
  const drain = new Drain(() => Promise.reject(new Error("broken")));
  await drain.handle(REQUEST).catch(() => {});
  await drain.begin();
});
