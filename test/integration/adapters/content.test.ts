// Contents over real sockets: whole, broken off and resumed elsewhere, and from holders and askers that lie in each way there is.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { Stream } from "@libp2p/interface";
import {
  CONTENT_PROTOCOL,
  fetchContent,
  offerContent,
  type TransferLimits,
} from "../../../src/adapters/libp2p/content-exchange.ts";
import { framedStream } from "../../../src/adapters/libp2p/exchange.ts";
import { errorCode } from "../../../src/foundation/index.ts";
import {
  Assembly,
  chunkOf,
  type ContentId,
  contentIdOf,
  encodeContentRequest,
  encodeOffer,
  encodeWant,
  type HeldContent,
  leavesOf,
} from "../../../src/learning/index.ts";
import { engine } from "../../unit/handshake/fixture.ts";
import { refusal } from "../node/harness.ts";
import { linked, type TestNetwork } from "./test-network.ts";

const CHUNKS = 20;
const content = Uint8Array.from(
  { length: CHUNKS * 65_536 - 9 },
  (_, i) => (i * 13 + (i >> 16)) & 0xff,
);
const sha256 = (data: Uint8Array): Uint8Array => engine.sha256(data);
const name: ContentId = contentIdOf(sha256, content);
const held: HeldContent = { bytes: content, leaves: leavesOf(sha256, content) };
/** For peers that never do what they should: how long that is waited for. */
const impatient = { messageMs: 300 };
const TASK = "task-1";

type Holder = (stream: Stream) => Promise<void>;

/** An asker that is linked to a holder of the given kind. */
async function asking(
  t: TestContext,
  seed: string,
  holder: Holder,
): Promise<() => Promise<Stream>> {
  const [a, b] = await linked(t, `content/${seed}`);
  await serve(b, holder);
  return () => a.network.openStream(b.nodeId, CONTENT_PROTOCOL, AbortSignal.timeout(5_000));
}

function serve({ network }: TestNetwork, holder: Holder): Promise<void> {
  return network.handleStreams(CONTENT_PROTOCOL, { streamsPerPeerMax: 4 }, (_peer, stream) =>
    holder(stream),
  );
}

const honest: Holder = (stream) => offerContent(stream, () => held);

function fetchFrom(stream: Stream, assembly: Assembly, limits: TransferLimits = {}): Promise<void> {
  return fetchContent(stream, TASK, assembly, new AbortController().signal, limits);
}

/** A holder that makes the offer and then answers the first want as it likes. */
function lying(
  answer: (send: (chunk: Uint8Array) => Promise<void>, stream: Stream) => Promise<void>,
): Holder {
  return async (stream) => {
    const framed = framedStream(stream, 65_536);
    await framed.read();
    await framed.write(encodeOffer("held", held.leaves));
    await framed.read();
    await answer((chunk) => framed.write(chunk), stream);
  };
}

describe("a content", () => {
  test("comes whole, in windows of sixteen chunks", async (t) => {
    const open = await asking(t, "whole", honest);
    const assembly = new Assembly(sha256, name);
    await fetchFrom(await open(), assembly);
    assert.deepEqual(assembly.complete()?.bytes, content);
  });

  test("goes on at a second holder, which is asked for the rest only", async (t) => {
    const open = await asking(
      t,
      "first",
      lying(async (send, stream) => {
        for (let index = 0; index < 11; index++) await send(chunkOf(content, index));
        stream.abort(new Error("the power fails"));
      }),
    );
    const assembly = new Assembly(sha256, name);
    assert.equal(
      (await refusal(fetchFrom(await open(), assembly))).code,
      "learning/transfer-broken",
    );
    const first = assembly.lacking(CHUNKS).at(0) ?? 0;
    assert.ok(first > 0, "what came is kept");
    const asked: number[] = [];
    const second = await asking(t, "second", (stream) =>
      offerContent(stream, () => ({
        leaves: held.leaves,
        bytes: new Proxy(content, {
          get: (bytes, key) =>
            key === "subarray"
              ? (begin: number, end: number) => {
                  asked.push(begin / 65_536);
                  return bytes.subarray(begin, end);
                }
              : (Reflect.get(bytes, key, bytes) as unknown),
        }),
      })),
    );
    await fetchFrom(await second(), assembly);
    assert.deepEqual(assembly.complete()?.bytes, content);
    assert.deepEqual(
      asked,
      Array.from({ length: CHUNKS - first }, (_, i) => first + i),
    );
  });

  for (const [what, code, holder] of [
    ["that it has not", "learning/not-held", (s: Stream) => offerContent(s, () => "absent")],
    ["for which it has no time", "learning/not-held", (s: Stream) => offerContent(s, () => "busy")],
    [
      "of which it sends a wrong hash",
      "learning/bad-chunk",
      lying((send) => send(chunkOf(content, 0).with(5, 99))),
    ],
    [
      "of which it sends one chunk twice",
      "learning/bad-chunk",
      lying(async (send) => {
        await send(chunkOf(content, 0));
        await send(chunkOf(content, 0));
      }),
    ],
    [
      "of which it sends a short chunk",
      "learning/bad-chunk",
      lying((send) => send(chunkOf(content, 0).subarray(1))),
    ],
    [
      "of which it sends a frame that is too long",
      "learning/transfer-broken",
      lying((send) => send(new Uint8Array(65_537))),
    ],
    [
      "of which it sends bytes without end",
      "learning/bad-chunk",
      lying(async (send, stream) => {
        while (stream.writeStatus === "writable") await send(new Uint8Array(65_536));
      }),
    ],
    [
      "whose length prefix never ends",
      "network/request-failed",
      lying(async (_send, stream) => {
        stream.send(new Uint8Array(64).fill(0xff));
        await Promise.resolve();
      }),
    ],
    ["that it ends early", "learning/transfer-broken", lying((_send, stream) => stream.close())],
    [
      "that it sends byte by byte",
      "learning/transfer-broken",
      lying(async (_send, stream) => {
        stream.send(Uint8Array.of(0x80, 0x80, 0x04, 1)); // a frame of 64 KiB, and one byte of it
        await new Promise((resume) => stream.addEventListener("close", resume));
      }),
    ],
    [
      "whose leaves are another's",
      "learning/bad-chunk",
      async (stream: Stream) => {
        const framed = framedStream(stream, 65_536);
        await framed.read();
        await framed.write(encodeOffer("held", held.leaves.with(3, 1)));
      },
    ],
    [
      "about which it talks nonsense",
      "learning/bad-request",
      async (stream: Stream) => {
        const framed = framedStream(stream, 65_536);
        await framed.read();
        await framed.write(Uint8Array.of(77));
      },
    ],
  ] as const) {
    test(`is not taken from a holder ${what}`, async (t) => {
      const open = await asking(t, what, holder);
      const assembly = new Assembly(sha256, name);
      const limits = what.includes("byte by byte") ? impatient : {};
      assert.equal((await refusal(fetchFrom(await open(), assembly, limits))).code, code);
      assert.equal(assembly.complete(), undefined);
    });
  }
});

describe("a holder", () => {
  /** What the holder's side ends with when the asker behaves so. */
  async function ends(
    t: TestContext,
    seed: string,
    asker: (stream: Stream) => Promise<void>,
    limits: TransferLimits = {},
  ): Promise<string> {
    const [a, b] = await linked(t, `holder/${seed}`);
    const ended = Promise.withResolvers<string>();
    await serve(b, async (stream) => {
      await offerContent(stream, () => held, limits).then(
        () => ended.resolve("well"),
        (error: unknown) => {
          ended.resolve(errorCode(error, "time or stream"));
          stream.abort(new Error("refused"));
        },
      );
    });
    await asker(await a.network.openStream(b.nodeId, CONTENT_PROTOCOL, AbortSignal.timeout(5_000)));
    return ended.promise;
  }

  test("ends well with an asker that has all it wants", async (t) => {
    const outcome = await ends(t, "well", (stream) =>
      fetchFrom(stream, new Assembly(sha256, name)),
    );
    assert.equal(outcome, "well");
  });

  const request = encodeContentRequest({ taskId: TASK, content: name });
  for (const [what, outcome, messages] of [
    ["asks for nothing that there is", "learning/bad-request", [request, encodeWant([CHUNKS])]],
    ["asks in no known way", "learning/bad-request", [Uint8Array.of(1, 2, 3)]],
    [
      "asks for the same for ever",
      "learning/bad-request",
      [request, ...Array.from({ length: CHUNKS + 1 }, () => encodeWant([0]))],
    ],
    ["asks and then says nothing more", "time or stream", [request]],
    ["says nothing", "time or stream", []],
  ] as const) {
    test(`leaves an asker that ${what}`, async (t) => {
      const asker = async (stream: Stream): Promise<void> => {
        const framed = framedStream(stream, 65_536);
        for (const message of messages) await framed.write(message);
      };
      const limits = outcome === "time or stream" ? impatient : {};
      assert.equal(await ends(t, what, asker, limits), outcome);
    });
  }

  test("leaves an asker that does not read", async (t) => {
    const asker = async (stream: Stream): Promise<void> => {
      stream.pause();
      const framed = framedStream(stream, 65_536);
      await framed.write(request);
      await framed.write(encodeWant(Array.from({ length: 16 }, (_, i) => i)));
      await framed.write(encodeWant([16, 17, 18, 19]));
    };
    assert.equal(await ends(t, "silent reader", asker, impatient), "time or stream");
  });
});
