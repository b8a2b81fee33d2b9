import type { BedrockClient } from "@aws-sdk/client-bedrock";
import { z } from "zod";
import type { ByteStream } from "../../domain/bytes.ts";

/** A page of 1,000 jobs has about 2 MB. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Lets a client read times as botocore does. The JavaScript SDK takes nothing
 * but RFC 3339 with an offset; botocore also takes seconds since 1970 and
 * times without an offset (UTC), which servers made for boto3 send.
 */
export function allowLenientTimes(client: BedrockClient): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const parsed = responseSchema.safeParse(result.response);
      if (!parsed.success) return result;
      const text = await readText(parsed.data.body);
      return {
        ...result,
        response: Object.assign(Object(result.response), {
          body: new Blob([withStrictTimes(text)]).stream(),
        }),
      };
    },
    // Next to the connection, before the SDK reads the answer.
    { name: "lenientTimes", step: "deserialize", priority: "low" },
  );
}

const responseSchema = z.object({
  statusCode: z.int().min(200).max(299),
  body: z.custom<ByteStream>((value) => value instanceof ReadableStream),
});

const timeSchema = z.union([
  z.number().transform((seconds) => new Date(seconds * 1000).toISOString()),
  z.string().transform((text) =>
    /^\d{4}-\d\d-\d\d[T ][\d:.]+$/.test(text)
      ? `${text.replace(" ", "T")}Z`
      : text
  ),
  z.null(),
]).optional();

const jobSchema = z.looseObject({
  submitTime: timeSchema,
  lastModifiedTime: timeSchema,
  endTime: timeSchema,
  jobExpirationTime: timeSchema,
});

const answerSchema = z.looseObject({
  ...jobSchema.shape,
  invocationJobSummaries: z.array(jobSchema).nullish(),
});

/** The same JSON with times that the SDK takes; other text as it is. */
export function withStrictTimes(text: string): string {
  try {
    const parsed = answerSchema.safeParse(JSON.parse(text));
    return parsed.success ? JSON.stringify(parsed.data) : text;
  } catch {
    return text;
  }
}

async function readText(body: ByteStream): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let seenBytes = 0;
  for await (const chunk of body) {
    seenBytes += chunk.length;
    if (seenBytes > ANSWER_BYTES_MAX) throw new Error("the answer is too long");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
