/**
 * Deno before 2.9 compresses text, JSON and XML for clients that accept it,
 * which weakens the ETag and drops the length; `no-transform` is its one way
 * out. Everyone else sees Cache-Control as it was stored.
 */
export function keepUncompressed(
  response: Response,
  acceptEncoding: string | null,
): Response {
  const { headers } = response;
  const accepts = /gzip|br|deflate|zstd|\*/i.test(acceptEncoding ?? "");
  // Reading `response.body` would turn a known length into a chunked stream.
  const exempt = headers.has("content-encoding") ||
    headers.has("content-range") ||
    /no-transform/i.test(headers.get("cache-control") ?? "");
  if (accepts && !exempt) headers.append("cache-control", "no-transform");
  return response;
}
