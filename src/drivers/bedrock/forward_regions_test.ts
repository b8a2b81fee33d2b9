import { assertEquals, assertRejects } from "@std/assert";
import type { Peer } from "../../upstream/scripted_server_fixture.ts";
import type { ObjectResponse } from "../../domain/driver.ts";
import { GatewayError } from "../../domain/failure.ts";
import { forwardTest, textOf, xmlAnswer } from "./forward_fixture.ts";

/** S3 as it is in us-west-2 about a bucket that is in eu-central-1. */
async function redirecting(peer: Peer): Promise<void> {
  for (;;) {
    const head = await peer.readHead();
    if (head === "") return;
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    await peer.readBody(length);
    await peer.write(
      head.includes("/eu-central-1/s3/")
        ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        : "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n" +
          "x-amz-bucket-region: eu-central-1\r\nlocation: http://evil/\r\n\r\n",
    );
  }
}

forwardTest(
  "a bucket in another region is found, and not looked for again",
  async (peer) => {
    await redirecting(peer);
  },
  async ({ forward }) => {
    for (let round = 0; round < 2; round++) {
      const response = await forward();
      assertEquals([response.status, await textOf(response)], [200, "ok"]);
    }
  },
);

forwardTest(
  "an upload to another region is refused once, as to be tried again",
  async (peer) => {
    await redirecting(peer);
  },
  async ({ forward }) => {
    const upload = (): Promise<ObjectResponse> =>
      forward({
        method: "PUT",
        body: { stream: new Blob(["hello"]).stream(), sizeBytes: 5 },
      });
    const error = await assertRejects(upload, GatewayError);
    assertEquals(error.failure, { kind: "upstream_unavailable" });
    assertEquals(await textOf(await upload()), "ok");
  },
);

forwardTest(
  "HEAD learns from 400, which is all that S3 says there",
  async (peer) => {
    for (;;) {
      const head = await peer.readHead();
      if (head === "") return;
      const [status, region] = head.includes("/eu-west-3/s3/")
        ? ["200 OK", "eu-west-3"]
        : ["400 Bad Request", "eu-west-3"];
      await peer.write(
        `HTTP/1.1 ${status}\r\nx-amz-bucket-region: ${region}\r\n\r\n`,
      );
    }
  },
  async ({ forward }) => {
    const response = await forward({ method: "HEAD", rawKey: null });
    assertEquals(response.status, 200);
    assertEquals(response.headers["x-amz-bucket-region"], "eu-west-3");
  },
);

forwardTest(
  "AuthorizationHeaderMalformed that names a region teaches it",
  async (peer) => {
    for (;;) {
      const head = await peer.readHead();
      if (head === "") return;
      await peer.write(
        head.includes("/us-east-2/s3/")
          ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
          : xmlAnswer(
            "400 Bad",
            "AuthorizationHeaderMalformed",
            "<Region>us-east-2</Region>",
          ),
      );
    }
  },
  async ({ forward }) => {
    assertEquals(await textOf(await forward()), "ok");
  },
);

for (
  const { name, region } of [
    { name: "without a region", region: "" },
    {
      name: "to where it was asked",
      region: "x-amz-bucket-region: us-west-2\r\n",
    },
  ]
) {
  forwardTest(
    `a redirect ${name} is not passed on`,
    async (peer) => {
      await peer.readHead();
      await peer.write(
        `HTTP/1.1 307 Moved\r\n${region}location: http://x/\r\n` +
          "content-length: 0\r\n\r\n",
      );
    },
    async ({ forward }) => {
      const error = await assertRejects(() => forward(), GatewayError);
      assertEquals(error.failure, { kind: "upstream_failed", status: 307 });
    },
  );
}
