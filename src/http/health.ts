import type { ObjectStore } from "../domain/object_store.ts";
import type { Providers } from "../domain/providers.ts";

/** Alive: the process answers. */
export function answerHealth(): Response {
  return Response.json({ status: "ok" });
}

/** Ready: state and object store can be reached; 503 with the reason if not. */
export async function answerReadiness(deps: {
  readonly kv: Deno.Kv;
  readonly store: ObjectStore | null;
  readonly providers: Providers;
}): Promise<Response> {
  const [kv, objectStore] = await Promise.all([
    stateOf(deps.kv.get(["ready"])),
    deps.store === null ? "off" : stateOf(deps.store.probe()),
  ]);
  const providers = deps.providers.configured();
  const ready = kv === "ok" && objectStore !== "failed" && providers.length > 0;
  return Response.json(
    { status: ready ? "ok" : "unavailable", kv, objectStore, providers },
    { status: ready ? 200 : 503 },
  );
}

async function stateOf(probe: Promise<unknown>): Promise<"ok" | "failed"> {
  try {
    await probe;
    return "ok";
  } catch {
    return "failed";
  }
}
