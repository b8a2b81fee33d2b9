import { XMLParser } from "fast-xml-parser";
import { z } from "zod";

/** What is read of S3's error document; see "Error responses" in its API. */
export interface ErrorDocument {
  readonly code: string;
  /** The bucket's own region, where S3 names it. */
  readonly region: string | null;
}

const documentSchema = z.object({
  Error: z.object({
    Code: z.string().min(1),
    Region: z.string().nullish().catch(null),
  }),
});

/** Null where the bytes are no error document of S3's. */
export function parseErrorDocument(bytes: Uint8Array): ErrorDocument | null {
  const parser = new XMLParser({
    ignoreAttributes: true,
    parseTagValue: false,
    processEntities: false,
  });
  try {
    const text = new TextDecoder().decode(bytes);
    const parsed = documentSchema.safeParse(parser.parse(text)).data;
    if (parsed === undefined) return null;
    const { Code: code, Region: region } = parsed.Error;
    return { code, region: region || null };
  } catch {
    return null;
  }
}
