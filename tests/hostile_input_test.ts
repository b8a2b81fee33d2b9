import { assert, assertEquals } from "@std/assert";
import { XMLValidator } from "fast-xml-parser";
import { createApp } from "../src/app.ts";
import { readConfig } from "../src/config.ts";
import { startOpenAiSimulator } from "../src/sandbox/openai/simulator.ts";
import { createLog } from "../src/telemetry/log.ts";
import {
  type HostileRequest,
  hostileRequest,
} from "./support/hostile_request.ts";
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

function openHandles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test({
  name: `${CASES} hostile requests get well-formed answers and leave nothing`,
  // Upstream connections rest in their pool when the test ends.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const dataDir = await Deno.makeTempDir();
    const simulator = await startOpenAiSimulator({ paceMs: 60_000 });
    const config = readConfig({
      FINOPS_DATA_DIR: dataDir,
      FINOPS_DEFAULT_PROVIDER: "openai",
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: simulator.url,
    }, {
      denoDeploy: false,
      canWriteFiles: true,
      readFile: () => "",
    });
    const app = await createApp(config, createLog("error", () => {}));
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      app.handle,
    );
    const random = new SeededRandom(SEED);
    const wrong: string[] = [];
    let before = 0;
    for (let at = 0; at < CASES; at++) {
      // What is opened once, such as pools, is open after the first tenth.
      if (at === CASES / 10) before = openHandles();
      const request = hostileRequest(random);
      const raw = await exchange(server.addr.port, request);
      const problem = complaint(raw, request);
      if (problem !== null) {
        wrong.push(`#${at} ${request.description} -> ${problem}`);
      }
    }
    const leaked = openHandles() - before;
    await server.shutdown();
    await app.close();
    await simulator.close();
    const temporary = (await filesBelow(dataDir))
      .filter((path) => path.includes("/objects/") && /tmp|part/.test(path));
    await Deno.remove(dataDir, { recursive: true });
    assertEquals(wrong, []);
    assertEquals(temporary, []);
    assert(leaked < 20, `${leaked} handles were left open`);
  },
});
