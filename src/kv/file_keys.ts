import type { ProviderName } from "../domain/provider.ts";

/** Every key under which files and their names live. */
export const FILE_KEYS = {
  /** What a tenant's (bucket, key) names. */
  name: (
    tenant: string,
    provider: ProviderName,
    bucket: string,
    key: string,
  ): Deno.KvKey => [
    ...FILE_KEYS.names(tenant, provider, bucket),
    sortableBytes(key),
  ],
  names: (
    tenant: string,
    provider: ProviderName,
    bucket: string,
  ): Deno.KvKey => ["file_name", tenant, provider, bucket],
  file: (provider: ProviderName, fileId: string): Deno.KvKey => [
    ...FILE_KEYS.files(provider),
    sortableBytes(fileId),
  ],
  files: (provider: ProviderName): Deno.KvKey => ["file", provider],
  tenantFile: (
    tenant: string,
    provider: ProviderName,
    fileId: string,
  ): Deno.KvKey => [
    ...FILE_KEYS.tenantFiles(tenant, provider),
    sortableBytes(fileId),
  ],
  tenantFiles: (tenant: string, provider: ProviderName): Deno.KvKey => [
    "file_of_tenant",
    tenant,
    provider,
  ],
  /** Files deleted through the gateway of late. */
  deleted: (provider: ProviderName, fileId: string): Deno.KvKey => [
    ...FILE_KEYS.allDeleted(provider),
    sortableBytes(fileId),
  ],
  allDeleted: (provider: ProviderName): Deno.KvKey => [
    "file_deleted",
    provider,
  ],
  /** Written with every change, so that its version is the latest one's. */
  change: (provider: ProviderName): Deno.KvKey => ["file_change", provider],
};

/** S3's bound on a key in UTF-8; nothing longer is ever stored. */
const KEY_BYTES_MAX = 1024;

/** Greater than any byte that `sortableBytes` makes. */
const ABOVE_ALL = 0xff;

/**
 * UTF-8 with every byte below 0xC0 raised by one. UTF-8 never uses 0xC0, so
 * this keeps order and distinctness, and it leaves no zero byte, which KV
 * would escape to two: S3's longest key (1,024 bytes) would not fit into KV's
 * (2,048) otherwise.
 */
export function sortableBytes(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  for (const [i, byte] of bytes.entries()) {
    if (byte < 0xc0) bytes[i] = byte + 1;
  }
  return bytes;
}

/**
 * The entries under `folder` whose last part starts with `page.prefix` and
 * comes after `page.after`; null where there can be none.
 */
export function stringRange(
  folder: Deno.KvKey,
  page: { readonly prefix: string; readonly after: string },
): Deno.KvListSelector | null {
  const prefix = sortableBytes(page.prefix);
  if (prefix.length > KEY_BYTES_MAX) return null;
  const end = new Uint8Array([...prefix, ABOVE_ALL]);
  const start = later(prefix, startAfter(page.after));
  if (compareBytes(start, end) >= 0) return null;
  return { start: [...folder, start], end: [...folder, end] };
}

/**
 * The smallest text behind `after` is `after` and a zero character. What lies
 * beyond the longest key cannot decide between two keys.
 */
function startAfter(after: string): Uint8Array {
  if (after === "") return new Uint8Array();
  return sortableBytes(`${after}\0`).subarray(0, KEY_BYTES_MAX + 1);
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareBytes(a, b) < 0 ? b : a;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const sharedLength = Math.min(a.length, b.length);
  for (let i = 0; i < sharedLength; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
