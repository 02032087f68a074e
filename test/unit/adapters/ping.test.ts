// Pings over one kept stream of a connection; the other end is an echo of this test.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Connection, Stream } from "@libp2p/interface";
import { streamPair } from "@libp2p/utils";
import { echo, Pinger } from "../../../src/adapters/libp2p/ping.ts";
import { systemRandom } from "../../../src/adapters/random.ts";

/** A connection whose far end answers each ping with `echo` of it, and the far ends of its streams. */
function connectionTo(echo: (sent: Uint8Array) => Uint8Array | undefined): {
  readonly connection: Connection;
  readonly far: readonly Stream[];
} {
  const far: Stream[] = [];
  const newStream = async (): Promise<Stream> => {
    const [near, other] = await streamPair();
    other.addEventListener("message", ({ data }) => {
      const answer = echo(data.subarray());
      if (answer !== undefined) other.send(answer);
    });
    far.push(other);
    return near;
  };
  return { connection: { status: "open", newStream } as unknown as Connection, far };
}

test("pings one after the other share a stream", async () => {
  const { connection, far } = connectionTo((sent) => sent);
  const pinger = new Pinger(systemRandom);
  for (let i = 0; i < 3; i++) assert.ok((await pinger.ping(connection, 5_000)) >= 0);
  assert.equal(far.length, 1);
});

test("pings at once have a stream each, of which one is kept", async () => {
  const { connection, far } = connectionTo((sent) => sent);
  const pinger = new Pinger(systemRandom);
  await Promise.all([1, 2, 3].map(() => pinger.ping(connection, 5_000)));
  assert.equal(far.length, 3);
  await pinger.ping(connection, 5_000);
  assert.equal(far.length, 3);
});

test("a kept stream that the peer ended is replaced, and its end says nothing of the peer", async () => {
  const { connection, far } = connectionTo((sent) => sent);
  const pinger = new Pinger(systemRandom);
  await pinger.ping(connection, 5_000);
  far[0]?.abort(new Error("enough"));
  assert.ok((await pinger.ping(connection, 5_000)) >= 0);
  assert.equal(far.length, 2);
});

test("a changed echo is refused, and its stream is not kept", async () => {
  let changed = 1;
  const { connection, far } = connectionTo((sent) => sent.map((byte) => byte ^ changed));
  const pinger = new Pinger(systemRandom);
  await assert.rejects(pinger.ping(connection, 5_000), { code: "network/request-failed" });
  changed = 0;
  await pinger.ping(connection, 5_000);
  assert.equal(far.length, 2);
});

test("no echo within the time is an error, with a fresh stream and with a kept one", async () => {
  let silent = true;
  const { connection, far } = connectionTo((sent) => (silent ? undefined : sent));
  const pinger = new Pinger(systemRandom);
  await assert.rejects(pinger.ping(connection, 50));
  silent = false;
  await pinger.ping(connection, 5_000);
  silent = true;
  await assert.rejects(pinger.ping(connection, 50));
  assert.equal(far.length, 2);
});

describe("the echo", () => {
  test("answers each ping, and ends with its stream", async () => {
    const [near, far] = await streamPair();
    const ended = echo(far);
    const pinger = new Pinger(systemRandom);
    const newStream = (): Promise<Stream> => Promise.resolve(near);
    const connection = { status: "open", newStream } as unknown as Connection;
    for (let i = 0; i < 3; i++) assert.ok((await pinger.ping(connection, 5_000)) >= 0);
    await near.close();
    await ended;
    assert.notEqual(far.status, "open");
  });

  test("keeps nothing for a peer that does not read", async () => {
    const told: string[] = [];
    const full = {
      status: "open",
      send: (): boolean => told.push("send") < 2,
      abort: ({ message }: Error): unknown => told.push(message),
      async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
        for (;;) yield await Promise.resolve(new Uint8Array(32));
      },
    };
    await echo(full as unknown as Stream);
    assert.deepEqual(told, ["send", "send", "the peer does not read its pings"]);
  });
});
