// The encrypted stream over a pair of libp2p message streams.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MessageStream } from "@libp2p/interface";
import { streamPair } from "@libp2p/utils";
import { yamux } from "@libp2p/yamux";
import { NoiseStream } from "../../../src/adapters/libp2p/noise-stream.ts";
import { encodeFrame, type SessionKeys } from "../../../src/handshake/index.ts";
import { party, seededRandom } from "../../unit/handshake/fixture.ts";

function session(): readonly [SessionKeys, SessionKeys] {
  const [i, r] = [party("initiator").machine, party("responder").machine];
  const none = (): Uint8Array => new Uint8Array(0);
  r.readA(i.writeA());
  i.readB(r.writeB(none));
  r.readC(i.writeC(none));
  return [i.split(), r.split()];
}

/** Two raw streams, the encrypted one on the first, and the other end's keys. */
async function setup(): Promise<{
  readonly stream: NoiseStream;
  /** What it writes to. */
  readonly below: MessageStream;
  readonly raw: MessageStream;
  readonly keys: SessionKeys;
}> {
  const [ours, raw] = await streamPair();
  const [mine, keys] = session();
  return { stream: new NoiseStream(ours, mine), below: ours, raw, keys };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const closed = (stream: MessageStream): Promise<Error | undefined> =>
  new Promise((resolve) => {
    stream.addEventListener("close", ({ error }) => resolve(error), { once: true });
  });

describe("the encrypted stream", () => {
  test("cuts what it sends at 65519 bytes of plaintext", async () => {
    const { stream, raw, keys } = await setup();
    const data = seededRandom("long").bytes(65_519 * 2 + 1);
    const sizes: number[] = [];
    const plain: Uint8Array[] = [];
    const done = new Promise<void>((resolve) => {
      let received = Buffer.alloc(0);
      raw.addEventListener("message", ({ data: chunk }) => {
        received = Buffer.concat([received, chunk.subarray()]);
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
          const size = received.readUInt16BE();
          sizes.push(size);
          plain.push(keys.receive.open(received.subarray(2, 2 + size)));
          received = received.subarray(2 + size);
        }
        if (sizes.length === 3) resolve();
      });
    });
    stream.send(data);
    await done;
    assert.deepEqual(sizes, [65_535, 65_535, 17]);
    assert.ok(Buffer.concat(plain).equals(data));
  });

  test("sends what comes within one turn of the event loop as one frame in one write", async () => {
    const { stream, below, keys } = await setup();
    const writes: Uint8Array[] = [];
    below.send = (data) => writes.push(data.subarray()) > 0;
    for (const byte of [1, 2, 3]) stream.send(Uint8Array.of(byte));
    await nextTurn();
    assert.equal(writes.length, 1);
    assert.deepEqual([...keys.receive.open((writes[0] ?? assert.fail()).subarray(2))], [1, 2, 3]);
  });

  test("holds what comes while there is no room below, and sends it in order when there is", async () => {
    const { stream, below, keys } = await setup();
    const writes: Uint8Array[] = [];
    let room = false;
    below.send = (data) => writes.push(data.subarray()) > 0 && room;
    stream.send(Uint8Array.of(1));
    await nextTurn();
    assert.equal(stream.send(Uint8Array.of(2)), false);
    stream.send(Uint8Array.of(3));
    await nextTurn();
    assert.equal(writes.length, 1);
    room = true;
    below.dispatchEvent(new Event("drain"));
    // What the stream itself held back comes in the turn after what was sealed late.
    await nextTurn();
    await nextTurn();
    const opened = writes.flatMap((write) => [...keys.receive.open(write.subarray(2))]);
    assert.deepEqual(opened, [1, 2, 3]);
  });

  test("sends what is pending before it closes", async () => {
    const { stream, raw, keys } = await setup();
    const message = new Promise<Uint8Array>((resolve) => {
      raw.addEventListener("message", ({ data }) => resolve(data.subarray()), { once: true });
    });
    stream.send(Uint8Array.of(7));
    void stream.close();
    assert.deepEqual([...keys.receive.open((await message).subarray(2))], [7]);
  });

  test("hands up the plaintext of whole frames", async () => {
    const { stream, raw, keys } = await setup();
    const message = new Promise<Uint8Array>((resolve) => {
      stream.addEventListener("message", ({ data }) => resolve(data.subarray()), { once: true });
    });
    const frame = encodeFrame(keys.send.seal(Uint8Array.of(1, 2, 3)));
    raw.send(frame.subarray(0, 5));
    raw.send(frame.subarray(5));
    assert.deepEqual(Uint8Array.from(await message), Uint8Array.of(1, 2, 3));
  });

  for (const [name, end] of [
    ["has gone", (stream: MessageStream) => stream.abort(new Error("gone"))],
    ["is being closed", (stream: MessageStream) => void stream.close()],
  ] as const) {
    test(`loses what a muxer sends when the connection ${name}, and throws at nobody`, async () => {
      const { stream } = await setup();
      // Yamux tells the other end in a microtask, where an exception would be uncaught and end the process.
      const opening = yamux()().createStreamMuxer(stream).createStream();
      end(stream);
      await opening;
      assert.equal(stream.send(Uint8Array.of(1)), false);
    });
  }

  const bad: readonly [string, (keys: SessionKeys) => Uint8Array][] = [
    [
      "a changed frame",
      (keys) => {
        const sealed = keys.send.seal(Uint8Array.of(1));
        sealed[0] = (sealed[0] ?? 0) ^ 1;
        return encodeFrame(sealed);
      },
    ],
    ["an empty frame", () => encodeFrame(new Uint8Array(0))],
    ["a frame without room for a tag", () => encodeFrame(new Uint8Array(15))],
  ];
  for (const [name, frame] of bad) {
    test(`ends both ends at ${name} and hands up nothing after it`, async () => {
      const { stream, raw, keys } = await setup();
      let messages = 0;
      stream.addEventListener("message", () => messages++);
      const [atUs, atThem] = [closed(stream), closed(raw)];
      raw.send(Buffer.concat([frame(keys), encodeFrame(keys.send.seal(Uint8Array.of(2)))]));
      assert.ok((await atUs) instanceof Error);
      await atThem;
      assert.equal(messages, 0);
      assert.equal(stream.status, "aborted");
    });
  }
});
