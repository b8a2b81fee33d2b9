/** Whether a gateway answers where this environment says it listens. */
export async function health(): Promise<number> {
  const configured = Deno.env.get("FINOPS_HOST") ?? "127.0.0.1";
  const host = configured === "0.0.0.0" || configured === "::"
    ? "127.0.0.1"
    : configured;
  const port = Deno.env.get("FINOPS_PORT") ?? "8080";
  const address = host.includes(":") ? `[${host}]` : host;
  try {
    const response = await fetch(`http://${address}:${port}/healthz`, {
      signal: AbortSignal.timeout(5_000),
    });
    await response.body?.cancel();
    return response.ok ? 0 : 1;
  } catch {
    return 1;
  }
}
