import {
  type Peer,
  ScriptedServer,
} from "../../upstream/scripted_server_fixture.ts";
import type { ObjectRequest, ObjectResponse } from "../../domain/driver.ts";
import { createBedrockDriver } from "./driver.ts";

export const ACCESS_KEY_ID = "AKIDOFTHEGATEWAY";
/** An answer after which the connection is closed. */
export const OK =
  "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n" +
  "\r\nok";

export interface ForwardScene {
  readonly server: ScriptedServer;
  forward(
    change?: Partial<ObjectRequest>,
    signal?: AbortSignal,
  ): Promise<ObjectResponse>;
}

/** The driver before an S3 server that answers each request as told. */
export function forwardTest(
  name: string,
  script: (peer: Peer, index: number) => Promise<void>,
  check: (scene: ForwardScene) => Promise<void>,
): void {
  Deno.test({
    name: `forward(): ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using server = new ScriptedServer(script);
      const driver = createBedrockDriver({
        region: "us-west-2",
        s3Endpoint: `http://127.0.0.1:${server.port}`,
        bedrockEndpoint: null,
        batchRoleArn: null,
        credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: "secret" },
      });
      const { storage } = driver;
      try {
        await check({
          server,
          forward: (change = {}, signal = new AbortController().signal) =>
            storage.forward({ requestId: "r", signal }, {
              method: "GET",
              bucket: "bucket",
              rawKey: "key",
              query: [],
              headers: {},
              body: null,
              ...change,
            }),
        });
      } finally {
        driver.close();
      }
    },
  });
}

/** Answers one request. */
export async function answer(
  peer: Peer,
  status: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (await peer.readHead() === "") return;
  const lines = Object.entries({
    ...headers,
    "Content-Length": String(body.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  await peer.write(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${body}`);
}

/** One of S3's error documents, as an answer. */
export function xmlAnswer(status: string, code: string, more = ""): string {
  const body = `<Error><Code>${code}</Code>${more}</Error>`;
  return `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** The body, one character a byte. */
export async function textOf(response: ObjectResponse): Promise<string> {
  let text = "";
  for await (const chunk of response.body ?? []) {
    for (const byte of chunk) text += String.fromCharCode(byte);
  }
  return text;
}
