// Both sides of the half window from which on yamux tells its peer to go on.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stream } from "@libp2p/interface";
import { updateWindowRarely } from "../../../src/adapters/libp2p/stream-window.ts";
import { MeshError } from "../../../src/foundation/index.ts";

const [SYN_RECEIVED, ESTABLISHED, PAUSED] = [2, 3, 5];

/** How many updates a stream with a window of 1,000 bytes sends when so many may still come. */
function updates(recvWindowCapacity: number, state: number | undefined = ESTABLISHED): number {
  let sent = 0;
  const stream = { state, recvWindow: 1_000, recvWindowCapacity, sendWindowUpdate: () => sent++ };
  updateWindowRarely(stream as unknown as Stream);
  stream.sendWindowUpdate();
  return sent;
}

void test("a peer is told to go on when less than half of the window is left", () => {
  assert.deepEqual(
    [1_000, 999, 500, 499, 0].map((left) => updates(left)),
    [0, 0, 0, 1, 1],
  );
});

void test("what else an update carries is sent at once", () => {
  assert.equal(updates(1_000, SYN_RECEIVED), 1, "the stream is not acknowledged yet");
  assert.equal(updates(1_000, PAUSED), 1, "yamux itself decides");
});

void test("a yamux that is built otherwise is refused", () => {
  const other = { recvWindow: 1_000, recvWindowCapacity: 1_000, sendWindowUpdate: () => undefined };
  assert.throws(
    () => updateWindowRarely(other as unknown as Stream),
    (error) => error instanceof MeshError && error.code === "internal/invariant",
  );
});
