import { assert, assertEquals } from "@std/assert";
import { XMLValidator } from "fast-xml-parser";
import { startOpenAiSimulator } from "../src/sandbox/openai/simulator.ts";
import {
  type HostileRequest,
  hostileRequest,
} from "./support/hostile_request.ts";
import { Program } from "./support/program.ts";
import { SeededRandom } from "./support/seeded_random.ts";

const SEED = 20_260_101;
const CASES = 1_500;
const ANSWER_TIMEOUT_MS = 10_000;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/**
 * Sends raw bytes and reads until the end. A client that cuts its body closes
 * its side of the connection, as one that died would.
 */
async function exchange(
  port: number,
  { bytes, cutsBody }: HostileRequest,
): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), ANSWER_TIMEOUT_MS);
  try {
    const writer = connection.writable.getWriter();
    await writer.write(bytes).catch(() => {});
    if (cutsBody) await connection.closeWrite().catch(() => {});
    const chunks: Uint8Array[] = [];
    for await (const chunk of connection.readable) chunks.push(chunk);
    return new TextDecoder().decode(
      await new Blob(chunks as BlobPart[]).arrayBuffer(),
    );
  } catch (error) {
    if (error instanceof Deno.errors.BadResource) return "";
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function parseAnswer(text: string): Answer | null {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(statusLine);
  if (end < 0 || status === null) return null;
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  return {
    status: Number(status[1]),
    headers,
    body: text.slice(end + 4),
  };
}

/** What is wrong with an answer; null where it is well formed. */
function complaint(raw: string, { cutsBody }: HostileRequest): string | null {
  // Nobody is left to read an answer.
  if (raw === "" && cutsBody) return null;
  const answer = parseAnswer(raw);
  if (answer === null) return `no HTTP answer: ${raw.slice(0, 80)}`;
  const { status, headers, body } = answer;
  if (status >= 300 && status < 400 && status !== 304) return "a redirect";
  if (status === 500) return `an unforeseen failure: ${body.slice(0, 200)}`;
  if (status < 400 || body === "") return null;
  const type = headers.get("content-type") ?? "";
  if (type.includes("xml")) {
    return XMLValidator.validate(body) === true && /<Code>\w+</.test(body)
      ? null
      : `broken XML: ${body.slice(0, 200)}`;
  }
  if (!type.includes("json")) return `an error of type "${type}"`;
  return typeof JSON.parse(body).message === "string" ? null : "no message";
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesBelow(path));
    else found.push(path);
  }
  return found;
}

/** Only Linux tells; elsewhere nothing is counted. */
function openHandles(processId: number): number {
  try {
    return [...Deno.readDirSync(`/proc/${processId}/fd`)].length;
  } catch {
    return 0;
  }
}

Deno.test(`${CASES} hostile requests get well-formed answers and leave nothing`, async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "finops-hostile-" });
  const simulator = await startOpenAiSimulator({ paceMs: 60_000 });
  const wrong: string[] = [];
  let leaked = 0;
  {
    // A process of its own, since its handles are counted.
    await using gateway = await Program.start("main.ts", ["serve"], {
      FINOPS_PORT: "0",
      FINOPS_DATA_DIR: dataDir,
      FINOPS_DEFAULT_PROVIDER: "openai",
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: simulator.url,
    });
    const port = Number(new URL(gateway.url).port);
    const random = new SeededRandom(SEED);
    let before = 0;
    for (let at = 0; at < CASES; at++) {
      // What is opened once, such as pools, is open after the first tenth.
      if (at === CASES / 10) before = openHandles(gateway.processId);
      const request = hostileRequest(random);
      const problem = complaint(await exchange(port, request), request);
      if (problem !== null) {
        wrong.push(`#${at} ${request.description} -> ${problem}`);
      }
    }
    leaked = openHandles(gateway.processId) - before;
  }
  await simulator.close();
  const temporary = (await filesBelow(dataDir))
    .filter((path) => path.includes("/objects/") && /tmp|part/.test(path));
  await Deno.remove(dataDir, { recursive: true });
  assertEquals(wrong, []);
  assertEquals(temporary, []);
  assert(leaked < 20, `${leaked} handles were left open`);
});
