// Whom of those that answer in the LAN a node dials, and how often.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DialPace } from "../../../src/adapters/libp2p/discovery.ts";
import type { MonoMs } from "../../../src/ports/index.ts";

const PEERS = 40;
const peers = Array.from({ length: PEERS }, (_, number) => `peer ${number}`);

/** Who of all is dialled when all answer at once. */
function dialled(pace: DialPace, atMs: number): string[] {
  return peers.filter((peer) => pace.permits(peer, atMs as MonoMs));
}

test("of a full LAN eight are dialled at once, then the others, each once in ten minutes", () => {
  const pace = new DialPace();
  const first = dialled(pace, 0);
  assert.deepEqual(first, peers.slice(0, 8));
  assert.deepEqual(dialled(pace, 4_999), []);
  const rest: string[] = [];
  for (let seconds = 5; rest.length < PEERS - 8; seconds += 5) {
    const now = dialled(pace, seconds * 1_000);
    assert.equal(now.length, 1, `at ${seconds} s`);
    rest.push(...now);
  }
  assert.deepEqual([...first, ...rest], peers);
  assert.deepEqual(dialled(pace, 599_000), []);
  assert.deepEqual(dialled(pace, 601_000), peers.slice(0, 8));
});
